//! Whether entries of different lanes are in the order that their numbers say.
//!
//! Within a lane links prove the order. Between lanes `seq` alone tells it, and whoever may set the sequence
//! can number an entry as he likes. But a writer takes the time and draws numbers at once, so over all lanes
//! `appended_at` grows with `seq`, but for three things: a writer that was held up in between, by a little
//! ([`TOLERANCE`]); entries that were linked together, of which those of earlier versions have one time,
//! that of the first; and a clock that was set back, which shows in a lane, where the order is known.
//!
//! [`Order`] watches for disorder in one pass, in bounded memory, and says where to look closely.
//! [`misplaced`] does so.

use std::collections::HashMap;

/// Microseconds by which times may differ from the order of numbers.
pub const TOLERANCE: i64 = 2_000_000;

/// Buckets that are remembered, about 80 bytes each.
const BUCKETS: usize = 32 * 1024;
/// Numbers in a bucket at first, as a power of two: duplicates among so many are told exactly.
const FIRST_SHIFT: u32 = 6;

/// Some consecutive numbers.
#[derive(Clone, Copy, Debug)]
struct Bucket {
    earliest: i64,
    latest: i64,
    /// Least and greatest number, with their times.
    first: (i64, i64),
    last: (i64, i64),
    count: u64,
    /// Which of 64 numbers were met.
    met: u64,
    disordered: bool,
}

impl Bucket {
    fn of(seq: i64, at: i64) -> Bucket {
        Bucket {
            earliest: at,
            latest: at,
            first: (seq, at),
            last: (seq, at),
            count: 1,
            met: 1 << (seq & 63),
            disordered: false,
        }
    }

    #[inline]
    fn note(&mut self, seq: i64, at: i64, shift: u32) {
        let bit = 1 << (seq & 63);
        self.count += 1;
        self.disordered |= contradict(self.first, (seq, at))
            || contradict(self.last, (seq, at))
            || (shift == FIRST_SHIFT && self.met & bit != 0)
            || (shift < u64::BITS && self.count > 1 << shift);
        self.met |= bit;
        self.earliest = self.earliest.min(at);
        self.latest = self.latest.max(at);
        self.first = self.first.min((seq, at));
        self.last = self.last.max((seq, at));
    }

    /// Takes in the bucket behind it.
    fn append(&mut self, next: &Bucket) {
        self.disordered |= next.disordered || later(self.latest, next.earliest);
        self.earliest = self.earliest.min(next.earliest);
        self.latest = self.latest.max(next.latest);
        self.last = next.last;
        self.count += next.count;
    }
}

/// Whether a time lies behind another by more than is tolerated.
fn later(one: i64, other: i64) -> bool {
    one > other.saturating_add(TOLERANCE)
}

fn contradict(one: (i64, i64), other: (i64, i64)) -> bool {
    (one.0 < other.0 && later(one.1, other.1)) || (one.0 > other.0 && later(other.1, one.1))
}

/// Numbers and times of entries, as far as they are needed to see disorder.
#[derive(Clone, Debug)]
pub struct Order {
    shift: u32,
    index: HashMap<i64, usize>,
    buckets: Vec<(i64, Bucket)>,
    /// Where the last entry went.
    recent: usize,
}

impl Default for Order {
    fn default() -> Order {
        Order {
            shift: FIRST_SHIFT,
            index: HashMap::new(),
            buckets: Vec::new(),
            recent: 0,
        }
    }
}

impl Order {
    /// Takes in an entry: its number, and its time in microseconds.
    #[inline]
    pub fn note(&mut self, seq: i64, at: i64) {
        let number = seq >> self.shift;
        if let Some((of, bucket)) = self.buckets.get_mut(self.recent)
            && *of == number
        {
            return bucket.note(seq, at, self.shift);
        }
        self.note_elsewhere(number, seq, at);
    }

    fn note_elsewhere(&mut self, number: i64, seq: i64, at: i64) {
        if let Some(found) = self.index.get(&number) {
            self.recent = *found;
            return self.buckets[*found].1.note(seq, at, self.shift);
        }
        if self.buckets.len() == BUCKETS {
            self.widen();
            return self.note(seq, at);
        }
        self.recent = self.buckets.len();
        self.index.insert(number, self.recent);
        self.buckets.push((number, Bucket::of(seq, at)));
    }

    /// Makes buckets twice as wide until half of them are free.
    #[cold]
    fn widen(&mut self) {
        self.buckets.sort_unstable_by_key(|(number, _)| *number);
        while self.buckets.len() > BUCKETS / 2 {
            self.shift += 1;
            let mut wider: Vec<(i64, Bucket)> = Vec::with_capacity(BUCKETS);
            for (number, bucket) in self.buckets.drain(..) {
                match wider.last_mut() {
                    Some((last, into)) if *last == number >> 1 => into.append(&bucket),
                    _ => wider.push((number >> 1, bucket)),
                }
            }
            self.buckets = wider;
        }
        let numbers = self.buckets.iter().enumerate();
        self.index = numbers.map(|(at, (number, _))| (*number, at)).collect();
        self.recent = 0;
    }

    /// Ranges of numbers, both ends included, within which order is in doubt. What lies in different
    /// ranges is in order.
    pub fn doubtful(mut self) -> Vec<(i64, i64)> {
        drop(self.index);
        self.buckets.sort_unstable_by_key(|(number, _)| *number);
        let buckets: Vec<Bucket> = self.buckets.into_iter().map(|(_, bucket)| bucket).collect();
        let mut earliest_behind = vec![i64::MAX; buckets.len()];
        for at in (1..buckets.len()).rev() {
            earliest_behind[at - 1] = earliest_behind[at].min(buckets[at].earliest);
        }
        let mut ranges = Vec::new();
        let mut open: Option<(i64, bool)> = None;
        let mut latest = i64::MIN;
        for (bucket, behind) in buckets.iter().zip(earliest_behind) {
            latest = latest.max(bucket.latest);
            let (from, doubtful) = open.unwrap_or((bucket.first.0, false));
            let doubtful = doubtful || bucket.disordered;
            if later(latest, behind) {
                open = Some((from, true));
            } else {
                open = None;
                if doubtful {
                    ranges.push((from, bucket.last.0));
                }
            }
        }
        ranges
    }
}

/// Entries of one transaction that have one time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Group {
    /// The least number among them.
    pub seq: i64,
    /// Their time.
    pub at: i64,
}

/// Two neighbours in a lane, the second of which has an earlier time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StepBack {
    /// Number of the first.
    pub from: i64,
    /// Number of the second.
    pub to: i64,
    /// By how many microseconds.
    pub by: i64,
}

/// What is wrong with the place of a group among the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Misplaced {
    /// This group has a smaller number, and is later by more than can be.
    Behind(Group),
    /// This group has a greater number, and is earlier by more than can be.
    Ahead(Group),
}

/// Of groups in the order of their numbers, the fewest that must have another place for the others to be in
/// order: which, and why. `steps` are all of the lanes within these numbers.
pub fn misplaced(groups: &[Group], steps: &[StepBack]) -> Vec<(usize, Misplaced)> {
    let ordered = longest_in_order(groups);
    let mut misplaced = Vec::new();
    let mut next = ordered.iter().copied().peekable();
    let mut before: Option<Group> = None;
    for (at, group) in groups.iter().enumerate() {
        if next.peek() == Some(&at) {
            next.next();
            before = Some(*group);
            continue;
        }
        let after = next.peek().map(|next| groups[*next]);
        let behind = before.filter(|other| proves(other, group, steps));
        let ahead = after.filter(|other| proves(group, other, steps));
        if let Some(what) = behind
            .map(Misplaced::Behind)
            .or(ahead.map(Misplaced::Ahead))
        {
            misplaced.push((at, what));
        }
    }
    misplaced
}

/// Microseconds by which the times of two entries of one row may differ from the order of their numbers: the
/// second writer waited for the row until the first had committed, so its time was taken later; but the
/// processors' clocks may differ.
const ROW_TOLERANCE: i64 = 100;

/// Whether two entries of one row, the first with the smaller number, cannot have been linked in this order.
pub fn proves_of_row(first: &Group, second: &Group, steps: &[StepBack]) -> bool {
    contradicts(first, second, steps, ROW_TOLERANCE)
}

/// Whether two groups, the first with the smaller number, cannot have been linked in this order.
pub fn proves(first: &Group, second: &Group, steps: &[StepBack]) -> bool {
    contradicts(first, second, steps, TOLERANCE)
}

fn contradicts(first: &Group, second: &Group, steps: &[StepBack], tolerance: i64) -> bool {
    if first.seq >= second.seq || first.at <= second.at.saturating_add(tolerance) {
        return false;
    }
    // Between the neighbours that show the step some time has passed, so it was larger than they show.
    let back = steps
        .iter()
        .filter(|step| step.from < second.seq && first.seq < step.to)
        .fold(0i64, |sum, step| sum.saturating_add(step.by));
    first.at.saturating_sub(second.at) > back.saturating_mul(2).saturating_add(tolerance)
}

/// Places of the longest subsequence whose times do not fall.
fn longest_in_order(groups: &[Group]) -> Vec<usize> {
    // Of the subsequences of each length the one that ends earliest, by its last member.
    let mut ends: Vec<usize> = Vec::new();
    let mut previous: Vec<Option<usize>> = Vec::with_capacity(groups.len());
    for (at, group) in groups.iter().enumerate() {
        let length = ends.partition_point(|end| groups[*end].at <= group.at);
        previous.push(length.checked_sub(1).map(|shorter| ends[shorter]));
        if length == ends.len() {
            ends.push(at);
        } else {
            ends[length] = at;
        }
    }
    let mut members = Vec::with_capacity(ends.len());
    let mut member = ends.last().copied();
    while let Some(at) = member {
        members.push(at);
        member = previous[at];
    }
    members.reverse();
    members
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: i64 = 1_000_000;

    /// Any sequence that is the same each time.
    struct Random(u64);

    impl Random {
        fn below(&mut self, limit: u64) -> u64 {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            self.0 % limit
        }
    }

    /// Entries as honest writers make them: number, time, lane, transaction.
    fn history(random: &mut Random, count: usize) -> Vec<(i64, i64, u64, u64)> {
        let (mut now, mut seq, mut entries) = (0i64, 1i64, Vec::new());
        let mut xid = 0;
        while entries.len() < count {
            xid += 1;
            now += random.below(30 * SECOND as u64) as i64;
            let lane = random.below(8);
            let held_up = random.below(TOLERANCE as u64) as i64;
            let many = if random.below(10) == 0 { 200 } else { 1 };
            for _ in 0..=random.below(many) {
                seq += 1 + random.below(3) as i64;
                entries.push((seq, now - held_up, lane, xid));
            }
            // What earlier versions linked together has one time, however long it took.
            if many > 1 {
                now += random.below(100 * SECOND as u64) as i64;
            }
        }
        entries
    }

    /// What is found, by the two looks together.
    fn found(entries: &[(i64, i64, u64, u64)]) -> Vec<i64> {
        let mut order = Order::default();
        for (seq, at, ..) in entries {
            order.note(*seq, *at);
        }
        let mut found = Vec::new();
        for (from, to) in order.doubtful() {
            let within = || entries.iter().filter(|(seq, ..)| (from..=to).contains(seq));
            let mut groups: HashMap<(i64, u64), i64> = HashMap::new();
            let mut lanes: HashMap<u64, Vec<(i64, i64)>> = HashMap::new();
            for (seq, at, lane, xid) in within() {
                let first = groups.entry((*at, *xid)).or_insert(*seq);
                *first = seq.min(first).to_owned();
                lanes.entry(*lane).or_default().push((*seq, *at));
            }
            let mut groups: Vec<Group> = groups
                .into_iter()
                .map(|((at, _), seq)| Group { seq, at })
                .collect();
            groups.sort_unstable_by_key(|group| (group.seq, group.at));
            let steps: Vec<StepBack> = lanes
                .values()
                .flat_map(|lane| lane.windows(2))
                .filter(|pair| pair[1].1 < pair[0].1)
                .map(|pair| StepBack {
                    from: pair[0].0,
                    to: pair[1].0,
                    by: pair[0].1 - pair[1].1,
                })
                .collect();
            for (at, _) in misplaced(&groups, &steps) {
                found.push(groups[at].seq);
            }
        }
        found
    }

    #[test]
    fn honest_histories_are_in_order() {
        for seed in 1..60 {
            let entries = history(&mut Random(seed), 3000);
            assert_eq!(found(&entries), Vec::<i64>::new(), "seed {seed}");
        }
    }

    #[test]
    fn a_clock_that_was_set_back_is_not_disorder() {
        for seed in 1..60 {
            let mut random = Random(seed);
            let mut entries = history(&mut random, 3000);
            let from = random.below(3000) as usize;
            let xid = entries[from].3;
            let back = 600 * SECOND * (1 + random.below(10) as i64);
            for entry in &mut entries {
                if entry.3 >= xid {
                    entry.1 -= back;
                }
            }
            assert_eq!(found(&entries), Vec::<i64>::new(), "seed {seed}");
        }
    }

    #[test]
    fn an_entry_that_was_numbered_ahead_is_found() {
        for seed in 1..60 {
            let mut random = Random(seed);
            let mut entries = history(&mut random, 3000);
            let at = random.below(300) as usize;
            let ahead = entries[1000 + random.below(1900) as usize];
            // In a lane that nobody else uses.
            let forged = (ahead.0, entries[at].1, 99, u64::MAX);
            entries.insert(at, forged);
            assert!(found(&entries).contains(&ahead.0), "seed {seed}");
        }
    }

    #[test]
    fn an_entry_that_was_numbered_back_is_found() {
        for seed in 1..60 {
            let mut random = Random(seed);
            let mut entries = history(&mut random, 3000);
            let back = entries[random.below(1000) as usize].0;
            let at = 1500 + random.below(1400) as usize;
            entries.insert(at, (back, entries[at].1 + 1, 99, u64::MAX));
            assert!(found(&entries).contains(&back), "seed {seed}");
        }
    }

    #[test]
    fn a_number_that_was_given_twice_is_in_doubt() {
        let mut order = Order::default();
        for seq in 1..200 {
            order.note(seq, seq);
        }
        order.note(77, 77);
        assert!(matches!(order.doubtful()[..], [(from, to)] if from <= 77 && 77 <= to));
    }

    #[test]
    fn memory_is_bounded_and_extremes_do_no_harm() {
        let mut order = Order::default();
        for seq in 0..3_000_000 {
            order.note(seq * 70, seq);
        }
        assert!(order.buckets.len() <= BUCKETS);
        for seq in [i64::MIN, i64::MAX, 0] {
            for at in [i64::MIN, i64::MAX, 0] {
                order.note(seq, at);
            }
        }
        assert!(!order.doubtful().is_empty());
    }
}
