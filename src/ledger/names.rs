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
}

thread_local! {
    static NAMES: RefCell<Names> = RefCell::default();
}

/// The number of a name; the same for the life of the backend.
pub fn intern(name: &[u8]) -> NameId {
    NAMES.with(|names| {
        let mut names = names.borrow_mut();
        if let Some(id) = names.ids.get(name) {
            return *id;
        }
        let id = NameId(names.texts.len() as u32);
        let text: Rc<[u8]> = name.into();
        names.texts.push(text.clone());
        names.ids.insert(text, id);
        id
    })
}

/// The text of a name.
pub fn name(id: NameId) -> Rc<[u8]> {
    NAMES.with(|names| names.borrow().texts[id.0 as usize].clone())
}
