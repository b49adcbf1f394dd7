//! Who made a change on whose behalf: the settings `auditspine.actor` and `auditspine.context`, as
//! they stood when the change was made.

use std::cell::RefCell;
use std::ffi::{CStr, CString};
use std::rc::Rc;

use auditspine_core::canonical::{Numbers, canonicalize, storable};

use crate::error::Failure;
use crate::pg::builtin::jsonb_problem;
use crate::pg::session::with_text;
use crate::settings;

/// One pair of actor and context that the current transaction used.
#[derive(Debug, Default, PartialEq)]
pub struct Attribution {
    /// Setting `auditspine.actor`.
    pub actor: Option<Box<[u8]>>,
    /// Setting `auditspine.context` as canonical JSON.
    pub context: Option<Box<[u8]>>,
}

/// Number of an attribution within the transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AttributionId(u32);

impl AttributionId {
    /// The number itself.
    pub fn index(self) -> u32 {
        self.0
    }
}

#[derive(Default)]
struct Used {
    /// The settings that gave the last attribution.
    actor: Option<CString>,
    context: Option<CString>,
    all: Vec<Rc<Attribution>>,
}

thread_local! {
    static USED: RefCell<Used> = RefCell::default();
}

/// The attribution in force now. An ERROR if `auditspine.context` is not JSON that can be stored.
pub fn current() -> AttributionId {
    with_text(&settings::ACTOR, |actor| {
        with_text(&settings::CONTEXT, |context| {
            USED.with(|used| {
                let mut used = used.borrow_mut();
                if used.all.is_empty()
                    || used.actor.as_deref() != actor
                    || used.context.as_deref() != context
                {
                    used.note(actor, context);
                }
                AttributionId(used.all.len() as u32 - 1)
            })
        })
    })
}

impl Used {
    #[cold]
    fn note(&mut self, actor: Option<&CStr>, context: Option<&CStr>) {
        let (actor, context) = (actor.map(CStr::to_owned), context.map(CStr::to_owned));
        let attribution = Attribution {
            actor: actor.as_ref().map(|actor| readable_actor(actor.to_bytes())),
            context: context
                .as_ref()
                .map(|context| canonical_context(context.to_bytes()))
                // In the event an absent context is a null, so it is stored alike.
                .filter(|context| **context != *b"null"),
        };
        self.all.push(Rc::new(attribution));
        (self.actor, self.context) = (actor, context);
    }
}

/// A setting may come from where nobody looks at its encoding: a file, or the client's first packet.
fn readable_actor(actor: &[u8]) -> Box<[u8]> {
    if let Err(error) = std::str::from_utf8(actor) {
        Failure::InvalidValue.raise(
            format!(
                "setting auditspine.actor is not UTF-8 from byte {} on: {}",
                error.valid_up_to() + 1,
                shown(actor)
            ),
            "set it to a text in UTF-8, or to '' for none",
        );
    }
    actor.into()
}

fn canonical_context(text: &[u8]) -> Box<[u8]> {
    let refuse = |why: &str| -> ! {
        Failure::InvalidValue.raise(
            format!(
                "setting auditspine.context is not a JSON value: {why}: {}",
                shown(text)
            ),
            "set it to a JSON value, such as {\"request\": \"42\"}, or to '' for none",
        )
    };
    let mut canonical = Vec::with_capacity(text.len());
    if let Err(error) = canonicalize(text, Numbers::Exact, &mut canonical) {
        refuse(&error.to_string());
    }
    // Now, and not when it is stored, at the commit.
    if (storable::may_hold_nul(&canonical) || !storable::surely_fits(&canonical))
        && let Some(problem) = jsonb_problem(&canonical)
    {
        refuse(&format!("jsonb does not take it: {problem}"));
    }
    canonical.into()
}

fn shown(text: &[u8]) -> String {
    const MOST: usize = 200;
    let cut = if text.len() > MOST { "…" } else { "" };
    format!(
        "{}{cut}",
        String::from_utf8_lossy(&text[..text.len().min(MOST)])
    )
}

/// The attribution of that number.
pub fn get(id: AttributionId) -> Rc<Attribution> {
    USED.with(|used| used.borrow().all[id.0 as usize].clone())
}

/// Forgets the transaction's attributions; for its end.
pub fn clear() {
    USED.with(|used| *used.borrow_mut() = Used::default());
}
