//! Which runs are merged: those of about one size, once there are enough of them.

/// So many runs of one level become one.
pub const FAN_IN: usize = 8;

/// The level of a run: one up for every eightfold size.
pub fn level(entries: u64) -> u32 {
    entries.max(1).ilog2() / FAN_IN.ilog2()
}

/// The runs, by number and size, that are to be merged next; none if all is well.
pub fn to_merge(runs: &[(i32, u64)]) -> Vec<i32> {
    let mut levels: Vec<u32> = runs.iter().map(|(_, entries)| level(*entries)).collect();
    levels.sort_unstable();
    levels.dedup();
    levels
        .into_iter()
        .map(|tier| {
            let of_level = runs.iter().filter(|(_, entries)| level(*entries) == tier);
            of_level.map(|(run, _)| *run).collect::<Vec<i32>>()
        })
        .find(|of_level| of_level.len() >= FAN_IN)
        .unwrap_or_default()
}
