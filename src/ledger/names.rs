//! Texts that many events share, kept once for the life of the backend.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

/// A text that many events share (a kind, a chain's name), by number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NameId(u32);

#[derive(Default)]
struct Names {
    ids: HashMap<Rc<[u8]>, NameId>,
    texts: Vec<Rc<[u8]>>,
    /// The one asked for last, which often is the next as well.
    recent: usize,
}

impl Names {
    fn add(&mut self, name: &[u8]) -> usize {
        let (number, text) = (self.texts.len(), Rc::<[u8]>::from(name));
        self.texts.push(text.clone());
        self.ids.insert(text, NameId(number as u32));
        number
    }
}

thread_local! {
    static NAMES: RefCell<Names> = RefCell::default();
}

/// The number of a name; the same for the life of the backend.
pub fn intern(name: &[u8]) -> NameId {
    NAMES.with(|names| {
        let names = &mut *names.borrow_mut();
        let recent = names.texts.get(names.recent);
        if recent.is_none_or(|recent| **recent != *name) {
            names.recent = match names.ids.get(name) {
                Some(id) => id.0 as usize,
                None => names.add(name),
            };
        }
        NameId(names.recent as u32)
    })
}

/// The text of a name.
pub fn name(id: NameId) -> Rc<[u8]> {
    NAMES.with(|names| names.borrow().texts[id.0 as usize].clone())
}
