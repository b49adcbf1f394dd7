//! Which entries keep their payload: what layouts, attachments and erasures say, for the links to be held against.

use auditspine_core::verify::{Keeps, Kept};

use crate::verify::rows::Recorded;

/// What the system's entries say under the active snapshot.
pub fn read() -> Kept {
    let recorded = Recorded::read();
    let mut kept = Kept::known();
    for layout in &recorded.layouts {
        let keeps = match layout.payload_kept {
            Some(true) => Keeps::Rows,
            Some(false) => Keeps::Hashes,
            None => Keeps::Unsaid,
        };
        kept.layout(layout.id, keeps);
    }
    for attachment in &recorded.attachments {
        let full = attachment.declaration.full_payload;
        kept.declared(attachment.kind.as_bytes(), attachment.seq, full);
    }
    kept.erased(recorded.erased);
    kept
}
