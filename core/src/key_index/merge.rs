//! Sorted runs become one, an item at a time.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::Item;

/// A source is not in order, so it is not what was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotSorted;

/// Items of several sorted sources in order, each item once.
pub struct Merge<S> {
    sources: Vec<S>,
    next: BinaryHeap<Reverse<(Item, usize)>>,
    last: Option<Item>,
    damaged: bool,
}

impl<S: Iterator<Item = Item>> Merge<S> {
    /// Of these sources.
    pub fn new(mut sources: Vec<S>) -> Merge<S> {
        let next = sources
            .iter_mut()
            .enumerate()
            .filter_map(|(at, source)| Some(Reverse((source.next()?, at))))
            .collect();
        Merge {
            sources,
            next,
            last: None,
            damaged: false,
        }
    }
}

impl<S: Iterator<Item = Item>> Iterator for Merge<S> {
    type Item = Result<Item, NotSorted>;

    fn next(&mut self) -> Option<Result<Item, NotSorted>> {
        while !self.damaged {
            let Reverse((item, at)) = self.next.pop()?;
            if let Some(following) = self.sources[at].next() {
                if following < item {
                    self.damaged = true;
                    return Some(Err(NotSorted));
                }
                self.next.push(Reverse((following, at)));
            }
            if self.last != Some(item) {
                self.last = Some(item);
                return Some(Ok(item));
            }
        }
        None
    }
}
