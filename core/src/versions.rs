//! The order of one key's changes within a transaction, told by the row versions that they ended and began.
//!
//! Triggers fire in an order of their own: a trigger that fires ahead of the audit's may have changed the
//! row again, and that change is told first. What cannot be mistaken is which version a change ended and
//! which it began: the change that ended a version comes right behind the one that began it. Such changes
//! make a *line*, the life of one row under the key, in which command numbers grow.
//!
//! Lines of one key follow each other, since a row of the key can come only when the one before it has
//! gone. A command removes only what it saw when it began, so lines end in the order of the commands that
//! ended them, also where an outer command inserts what a command within it has made room for (then the
//! outer one, of the smaller number, comes last). The line that goes on is the last one. A line that was
//! there before the transaction is the first, unless it goes on.
//!
//! A key that is unique only at the end of the statement or transaction (DEFERRABLE) may have several rows
//! for a while; each line is then told as a whole, and what the key has in the end is told last.

use std::collections::HashMap;
use std::num::NonZeroU64;
use std::ops::Range;

/// A row version of a file, by its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Version(NonZeroU64);

impl Version {
    /// At this place; `None` for the item number 0, which no version has.
    pub fn at(block: u32, offset: u16) -> Option<Version> {
        let packed = (u64::from(block) << 16) | u64::from(offset);
        NonZeroU64::new(packed).filter(|_| offset != 0).map(Version)
    }

    /// Number of its block.
    pub fn block(self) -> u32 {
        (self.0.get() >> 16) as u32
    }

    /// Number of its item in the block.
    pub fn offset(self) -> u16 {
        self.0.get() as u16
    }
}

/// A change of a row under a key, or of what row the key has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Change {
    /// Number of the command that made it.
    pub command: u32,
    /// The table.
    pub relation: u32,
    /// The file of the table at the time: another one once the table is rewritten or truncated.
    pub file: u32,
    /// The version that it ended under this key; `None` for a row that came.
    pub ended: Option<Version>,
    /// The version that it began; `None` for a row that went.
    pub began: Option<Version>,
}

/// Versions that were begun by changes of which nothing is told, by file, with the version that each ended.
pub type Untold = HashMap<(u32, Version), Version>;

/// Changes of one key in their order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sequence {
    /// Which change stands where, by its number in the order of arrival.
    pub order: Vec<usize>,
    /// Whether a line goes on in the end.
    pub goes_on: bool,
    /// Whether all lines, since the table was last emptied or rewritten, were begun by these changes.
    pub all_new: bool,
}

/// Puts changes of one key, given in the order of arrival, into the order in which they were made. `cuts`
/// are numbers of changes that follow an emptying of the table: whatever was told before them was before.
pub fn sequence(changes: &[Change], cuts: &[usize], untold: &Untold) -> Sequence {
    let mut sequence = Sequence {
        order: Vec::with_capacity(changes.len()),
        goes_on: false,
        all_new: true,
    };
    let mut files: HashMap<u32, u32> = HashMap::new();
    let mut start = 0;
    for (at, change) in changes.iter().enumerate() {
        let before = files.insert(change.relation, change.file);
        let rewritten = before.is_some_and(|file| file != change.file);
        if at > start && (rewritten || cuts.contains(&at)) {
            sequence.append(changes, start..at, untold);
            start = at;
        }
    }
    sequence.append(changes, start..changes.len(), untold);
    sequence
}

/// The life of one row under the key, as far as the changes tell of it.
struct Line {
    changes: Vec<usize>,
    /// Whether the row had the key before.
    old: bool,
    /// The command that ended it; `None` if it goes on.
    end: Option<u32>,
}

impl Sequence {
    fn append(&mut self, changes: &[Change], part: Range<usize>, untold: &Untold) {
        let mut lines = lines(changes, part, untold);
        lines.sort_by_key(|line| (line.end.is_none(), !line.old, line.end));
        self.goes_on = lines.last().is_some_and(|line| line.end.is_none());
        self.all_new = !lines.iter().any(|line| line.old);
        self.order
            .extend(lines.into_iter().flat_map(|line| line.changes));
    }
}

fn lines(changes: &[Change], part: Range<usize>, untold: &Untold) -> Vec<Line> {
    let mut begun: HashMap<(u32, Version), usize> = HashMap::new();
    for at in part.clone() {
        if let Some(version) = changes[at].began {
            begun.insert((changes[at].file, version), at);
        }
    }
    let before = |at: usize| {
        let file = changes[at].file;
        let mut version = changes[at].ended?;
        while let Some(earlier) = untold.get(&(file, version)) {
            version = *earlier;
        }
        begun.get(&(file, version)).copied().filter(|it| *it != at)
    };
    let mut behind: HashMap<usize, usize> = HashMap::new();
    let mut first = Vec::new();
    for at in part.clone() {
        match before(at) {
            // Two that ended one version are not possible; neither may be lost for it.
            Some(earlier) if !behind.contains_key(&earlier) => {
                behind.insert(earlier, at);
            }
            _ => first.push(at),
        }
    }
    let mut lines = Vec::new();
    let mut taken = 0;
    for at in first {
        let mut line = vec![at];
        let mut last = at;
        while let Some(next) = behind.remove(&last) {
            line.push(next);
            last = next;
        }
        taken += line.len();
        lines.push(Line {
            old: changes[at].ended.is_some(),
            end: changes[last]
                .began
                .is_none()
                .then_some(changes[last].command),
            changes: line,
        });
    }
    if taken < part.len() {
        // Versions that follow each other in a circle are no versions.
        return vec![Line {
            changes: part.collect(),
            old: true,
            end: None,
        }];
    }
    lines
}
