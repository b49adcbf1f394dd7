//! Members in canonical order without recursion and without copying a value once per level.
//!
//! Canonical text is drafted in the document's own order. Where that is canonical already, nothing
//! else happens; an object that closes out of order leaves a [`Fix`], which says in what order its
//! members' pieces of the draft go, and the whole is put together once, when the outermost object
//! has closed.
//!
//! Fixes are kept in the order in which they end. So those within any stretch of the draft are
//! neighbours, the last of them is an outermost one, and what precedes all fixes inside that one is
//! the outermost before it.

use std::cmp::Ordering;

use super::string::{cmp_utf16, unescaped, utf16_prefix};
use crate::hash::Sink;

/// Canonical text whose objects may still have to be put in order.
#[derive(Default)]
pub(super) struct Draft {
    /// Canonical but for the order of members and for numbers put off.
    pub(super) text: Vec<u8>,
    /// The objects that are open, outermost first.
    objects: Vec<Object>,
    /// The members so far of the objects that are open.
    members: Vec<Member>,
    /// What is to be put in another place.
    fixes: Vec<Fix>,
    /// The members of objects in `fixes`, each object's in canonical order.
    sorted: Vec<Member>,
    /// Of the object being sorted: each member's key and its place among them.
    keys: Vec<(u64, u32)>,
}

/// Why an object cannot be put in order.
pub(super) enum OrderError {
    /// This name, at this offset of the source, occurs before in its object.
    Duplicate { name: String, source: usize },
    /// The draft has no room for more.
    Full,
}

struct Object {
    start: u32,
    members: u32,
    fixes: u32,
    /// All names so far are in order.
    in_order: bool,
    /// Some name holds an escape.
    escapes: bool,
}

#[derive(Clone, Copy)]
struct Member {
    /// Where name and value are in the draft.
    start: u32,
    end: u32,
    /// Length of the name with its quotes.
    name_len: u32,
    /// Where the name is in the source.
    source: u32,
    /// The fixes within the value.
    fixes: u32,
    fixes_end: u32,
}

#[derive(Clone, Copy)]
struct Fix {
    /// What part of the draft it replaces.
    start: u32,
    end: u32,
    /// The first of the fixes within it.
    inner: u32,
    by: Replacement,
}

#[derive(Clone, Copy)]
enum Replacement {
    /// These of `sorted`, at least two.
    Members { from: u32, to: u32 },
    /// The number at this place of the source.
    Number { start: u32, end: u32 },
}

enum Step {
    Text { start: u32, end: u32 },
    Fix(u32),
    Members { from: u32, to: u32 },
}

impl Draft {
    /// Whether an object is open, so that the draft must be kept.
    pub(super) fn is_open(&self) -> bool {
        !self.objects.is_empty()
    }

    /// Opens an object.
    pub(super) fn begin_object(&mut self) -> Result<(), OrderError> {
        let start = self.position()?;
        self.text.push(b'{');
        self.objects.push(Object {
            start,
            members: self.members.len() as u32,
            fixes: self.fixes.len() as u32,
            in_order: true,
            escapes: false,
        });
        Ok(())
    }

    /// Begins the next member of the innermost object, whose name stands at `source`: puts the comma
    /// due. The quoted name is put next, then [`end_name`](Draft::end_name) called.
    pub(super) fn begin_member(&mut self, source: usize) -> Result<(), OrderError> {
        if self.end_member()? {
            self.text.push(b',');
        }
        let (start, fixes) = (self.position()?, self.fixes.len() as u32);
        let source = u32::try_from(source).map_err(|_| OrderError::Full)?;
        self.members.push(Member {
            start,
            end: 0,
            name_len: 0,
            source,
            fixes,
            fixes_end: fixes,
        });
        Ok(())
    }

    /// Notes that the name is complete; `escapes` says that an escape is left in it.
    pub(super) fn end_name(&mut self, escapes: bool) -> Result<(), OrderError> {
        let end = self.position()?;
        let (Some(object), Some(member)) = (self.objects.last_mut(), self.members.last_mut())
        else {
            return Ok(());
        };
        member.name_len = end - member.start;
        object.escapes |= escapes;
        if !object.in_order {
            return Ok(());
        }
        if let [.., previous, last] = &self.members[object.members as usize..] {
            match compare(&self.text, object.escapes, previous, last) {
                Ordering::Less => {}
                Ordering::Equal => return Err(last.duplicate(&self.text)),
                Ordering::Greater => object.in_order = false,
            }
        }
        Ok(())
    }

    /// Closes the innermost object.
    pub(super) fn end_object(&mut self) -> Result<(), OrderError> {
        self.end_member()?;
        self.text.push(b'}');
        let end = self.position()?;
        let Some(object) = self.objects.pop() else {
            return Ok(());
        };
        if !object.in_order {
            let from = self.sorted.len() as u32;
            self.sort_members(&object)?;
            let to = self.sorted.len() as u32;
            let by = Replacement::Members { from, to };
            self.fixes.push(Fix {
                start: object.start,
                end,
                inner: object.fixes,
                by,
            });
        }
        self.members.truncate(object.members as usize);
        Ok(())
    }

    /// Adds this object's members to `sorted`.
    fn sort_members(&mut self, object: &Object) -> Result<(), OrderError> {
        let (text, escapes) = (&self.text, object.escapes);
        let members = &self.members[object.members as usize..];
        let keys = members.iter().map(|member| member.key(text, escapes));
        self.keys.clear();
        self.keys.extend(keys.zip(0..));
        let member = |at: u32| &members[at as usize];
        let compare = |left: &(u64, u32), right: &(u64, u32)| {
            let by_key = left.0.cmp(&right.0);
            by_key.then_with(|| compare(text, escapes, member(left.1), member(right.1)))
        };
        self.keys.sort_unstable_by(compare);
        let duplicate = self
            .keys
            .windows(2)
            .filter(|pair| compare(&pair[0], &pair[1]).is_eq())
            .map(|pair| member(pair[0].1.max(pair[1].1)))
            .min_by_key(|later| later.source);
        if let Some(later) = duplicate {
            return Err(later.duplicate(text));
        }
        self.sorted
            .extend(self.keys.iter().map(|key| member(key.1)));
        Ok(())
    }

    /// Leaves the number at this place of the source to be written when all is put together: its
    /// text would be much longer than it is.
    pub(super) fn put_off_number(&mut self, start: usize, end: usize) -> Result<(), OrderError> {
        let (Ok(start), Ok(end)) = (u32::try_from(start), u32::try_from(end)) else {
            return Err(OrderError::Full);
        };
        let (position, inner) = (self.position()?, self.fixes.len() as u32);
        let by = Replacement::Number { start, end };
        self.fixes.push(Fix {
            start: position,
            end: position,
            inner,
            by,
        });
        Ok(())
    }

    /// Puts everything drafted in order into `out` and forgets it; no object is open.
    /// `write_number` writes the number at a place of the source.
    pub(super) fn flush<S: Sink>(
        &mut self,
        out: &mut S,
        mut write_number: impl FnMut(usize, usize, &mut S),
    ) {
        let mut steps = Vec::new();
        self.push_steps(
            0,
            self.text.len() as u32,
            0,
            self.fixes.len() as u32,
            &mut steps,
        );
        while let Some(step) = steps.pop() {
            match step {
                Step::Text { start, end } => out.put(&self.text[start as usize..end as usize]),
                Step::Fix(at) => match self.fixes[at as usize].by {
                    Replacement::Number { start, end } => {
                        write_number(start as usize, end as usize, out);
                    }
                    Replacement::Members { from, to } => {
                        out.put_byte(b'{');
                        self.put_members(from, to, &mut steps, out);
                    }
                },
                Step::Members { from, to } if from == to => out.put_byte(b'}'),
                Step::Members { from, to } => {
                    out.put_byte(b',');
                    self.put_members(from, to, &mut steps, out);
                }
            }
        }
        self.text.clear();
        self.fixes.clear();
        self.sorted.clear();
    }

    /// Puts these members up to the first with a fix within it, and pushes what puts the rest.
    fn put_members<S: Sink>(&self, from: u32, to: u32, steps: &mut Vec<Step>, out: &mut S) {
        for at in from..to {
            if at > from {
                out.put_byte(b',');
            }
            let Member {
                start,
                end,
                fixes,
                fixes_end,
                ..
            } = self.sorted[at as usize];
            if fixes < fixes_end {
                steps.push(Step::Members { from: at + 1, to });
                return self.push_steps(start, end, fixes, fixes_end, steps);
            }
            out.put(&self.text[start as usize..end as usize]);
        }
        out.put_byte(b'}');
    }

    /// Pushes, last first, what puts this part of the draft with these fixes in it.
    fn push_steps(&self, start: u32, mut end: u32, from: u32, mut to: u32, steps: &mut Vec<Step>) {
        while to > from {
            let fix = &self.fixes[to as usize - 1];
            steps.push(Step::Text {
                start: fix.end,
                end,
            });
            steps.push(Step::Fix(to - 1));
            end = fix.start;
            to = fix.inner;
        }
        steps.push(Step::Text { start, end });
    }

    /// Notes the end of the innermost object's last member; whether it has one.
    fn end_member(&mut self) -> Result<bool, OrderError> {
        let (end, fixes_end) = (self.position()?, self.fixes.len() as u32);
        let first = self
            .objects
            .last()
            .map_or(0, |object| object.members as usize);
        let Some(member) = self.members[first..].last_mut() else {
            return Ok(false);
        };
        member.end = end;
        member.fixes_end = fixes_end;
        Ok(true)
    }

    fn position(&self) -> Result<u32, OrderError> {
        u32::try_from(self.text.len()).map_err(|_| OrderError::Full)
    }
}

fn compare(text: &[u8], escapes: bool, left: &Member, right: &Member) -> Ordering {
    let (left, right) = (left.name(text), right.name(text));
    if !escapes {
        return cmp_utf16(left, right);
    }
    let (mut left, mut right) = (unescaped(left), unescaped(right));
    loop {
        match (left.next(), right.next()) {
            (Some(l), Some(r)) if l == r => {}
            (Some(l), Some(r)) => return cmp_utf16(&[l], &[r]),
            (l, r) => return l.cmp(&r),
        }
    }
}

impl Member {
    /// The first bytes of the name as a number: where two differ, they differ as [`cmp_utf16`] says.
    /// So most comparisons need not look at names, which are anywhere in memory.
    fn key(&self, text: &[u8], escapes: bool) -> u64 {
        if escapes {
            let mut first = [0; 8];
            let bytes = unescaped(self.name(text)).zip(&mut first);
            let len = bytes.map(|(byte, place)| *place = byte).count();
            return utf16_prefix(&first, 0, len);
        }
        // Past the opening quote, up to the closing one.
        utf16_prefix(text, self.start as usize + 1, self.name(text).len())
    }

    /// What is told of this member when its name occurs before.
    #[cold]
    fn duplicate(&self, text: &[u8]) -> OrderError {
        let name: Vec<u8> = unescaped(self.name(text)).collect();
        let name = String::from_utf8_lossy(&name).into_owned();
        OrderError::Duplicate {
            name,
            source: self.source as usize,
        }
    }

    /// The name, still escaped, without its quotes.
    fn name<'a>(&self, text: &'a [u8]) -> &'a [u8] {
        let start = self.start as usize;
        &text[start + 1..start + self.name_len as usize - 1]
    }
}
