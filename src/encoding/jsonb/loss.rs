//! What the canonical JSON of a document leaves out.

use auditspine_core::canonical::reads_like_other_json;

use super::layout::{
    CONTAINER, Children, NULL, NUMERIC, OBJECT, SCALAR, STRING, children, damaged, word,
};
use crate::encoding::embedded::embedded_content;
use crate::encoding::numeric::tells_scale;

/// Whether the canonical JSON of `content` tells the document from every other, and from a null: numbers
/// whose zeros behind the point it leaves out, and some documents that are a mere string or null, are not.
pub fn tells_all(content: &[u8]) -> bool {
    find_loss(content).unwrap_or_else(|| damaged(content))
}

/// The content of a document that is nothing but a string.
pub fn root_string(content: &[u8]) -> Option<&[u8]> {
    let header = word(content, 0)?;
    if header & SCALAR == 0 {
        return None;
    }
    let node = children(header, 0, content.len(), 1)?.next(content)?;
    content.get(node.range()).filter(|_| node.kind() == STRING)
}

fn find_loss(content: &[u8]) -> Option<bool> {
    u32::try_from(content.len()).ok()?;
    let header = word(content, 0)?;
    let is_scalar = header & SCALAR != 0;
    let mut all = contents(content, 0, content.len())?;
    // Containers whose children are not looked at yet: most documents are flat.
    let mut open = Vec::new();
    loop {
        pgrx::check_for_interrupts!();
        while all.left > 0 {
            let node = all.next(content)?;
            match node.kind() {
                NUMERIC => {
                    let range = node.range();
                    let number = content.get(range.start.next_multiple_of(4)..range.end)?;
                    if !tells_scale(embedded_content(number)?, None) {
                        return Some(false);
                    }
                }
                CONTAINER => open.push(node),
                NULL if is_scalar => return Some(false),
                STRING if is_scalar && reads_like_other_json(content.get(node.range())?) => {
                    return Some(false);
                }
                _ => {}
            }
        }
        let Some(node) = open.pop() else {
            return Some(true);
        };
        let range = node.range();
        all = contents(content, range.start.next_multiple_of(4), range.end)?;
    }
}

/// The elements of an array, the names and values of an object.
fn contents(content: &[u8], start: usize, end: usize) -> Option<Children> {
    let header = word(content.get(..end)?, start)?;
    children(header, start, end, if header & OBJECT != 0 { 2 } else { 1 })
}
