//! How the text of one key column at one time is related to that at another.

use std::collections::HashMap;

use crate::canonical::write_string;
use crate::hash::Sink;

use super::epochs::Key;
use crate::rows::conversion::{Undo, undo};
use crate::rows::key_text;
use crate::rows::layout::Column;
use crate::rows::types::{Form, Label, Shape};

/// The first oid of types that are not built in.
const FIRST_NOT_BUILT_IN: u32 = 16384;

/// What a column's text at one time says of its text at another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Texts {
    /// It is the same.
    Same,
    /// It is the label of an enum: the labels of then, and what they are called now.
    Relabelled(HashMap<String, String>),
    /// It may be another one, and follows from the value alone, which is of the same type.
    SameType,
    /// It may be another one.
    Other,
}

/// How the text of a column, as one key has it, is related to that of the same column as another has it.
pub(super) fn texts((then, old): (&Key, &Column), (now, new): (&Key, &Column)) -> Texts {
    let one_life = then.incarnation == now.incarnation;
    let same_type = match one_life {
        true => old.same_type(new),
        false => old.type_named_alike(new),
    };
    if !same_type {
        return match undo(&old.type_name, &new.type_name) {
            // A name is text without quotes.
            Some(None | Some(Undo::Unquote)) => Texts::Same,
            _ => Texts::Other,
        };
    }
    if !one_life && is_reference(&old.type_name) {
        // An oid, or what it points to, is another one after a dump.
        return Texts::Other;
    }
    if then.encoding != now.encoding {
        return match is_written_alike(&old.type_name) || labels_stay(old, now, new) {
            true => Texts::Same,
            false => Texts::SameType,
        };
    }
    of_shapes((then, old), (now, new), one_life)
}

/// Of two columns of one type and encoding: what became of the types that their values contain.
fn of_shapes((then, old): (&Key, &Column), (now, new): (&Key, &Column), one_life: bool) -> Texts {
    let labels = |key: &Key, column: &Column| {
        let shape = match one_life {
            true => column
                .type_id
                .and_then(|id| key.shapes.get(&id.oid).cloned()),
            false => (key.shapes.values())
                .find(|shape| shape.type_name == column.type_name)
                .cloned(),
        };
        match shape?.form {
            Form::Labels(labels) => Some(labels),
            _ => None,
        }
    };
    if let (Some(old), Some(new)) = (labels(then, old), labels(now, new)) {
        return of_labels(&old, &new, one_life);
    }
    let built_in = |column: &Column| column.type_id.is_some_and(|id| id.oid < FIRST_NOT_BUILT_IN);
    if built_in(old) && built_in(new) {
        return Texts::Same;
    }
    let same = |of: &Key, oid: &u32, shape: &Shape| match one_life {
        true => of.shapes.get(oid).cloned(),
        false => (of.shapes.values())
            .find(|it| it.type_name == shape.type_name)
            .cloned(),
    };
    let changed = |(oid, shape): (&u32, &Shape)| match same(now, oid, shape) {
        Some(now) => !is_extended(&shape.form, &now.form, one_life),
        // It may be written by its output function now.
        None => shape.form == Form::Send,
    };
    let sent_since =
        |(oid, shape): (&u32, &Shape)| shape.form == Form::Send && same(then, oid, shape).is_none();
    let of_old = (then.shapes.iter()).filter(|(oid, _)| old.contains.contains(oid));
    let of_new = (now.shapes.iter()).filter(|(oid, _)| new.contains.contains(oid));
    match of_old.into_iter().any(changed) || of_new.into_iter().any(sent_since) {
        true => Texts::SameType,
        false => Texts::Same,
    }
}

fn of_labels(old: &[Label], new: &[Label], one_life: bool) -> Texts {
    let now = |label: &Label| {
        let is_it = |now: &&Label| match one_life {
            true => now.oid == label.oid,
            false => now.text == label.text,
        };
        Some((label.text.clone(), new.iter().find(is_it)?.text.clone()))
    };
    let Some(names) = old.iter().map(now).collect::<Option<HashMap<_, _>>>() else {
        return Texts::SameType;
    };
    match names.iter().all(|(old, new)| old == new) {
        true => Texts::Same,
        false => Texts::Relabelled(names),
    }
}

/// Whether all that a type had before reads as it did.
fn is_extended(old: &Form, new: &Form, one_life: bool) -> bool {
    match (old, new) {
        (Form::Labels(old), Form::Labels(new)) => of_labels(old, new, one_life) == Texts::Same,
        (old, new) => old == new,
    }
}

/// Of an enum that encoding 1 recorded: whether each of its labels is there still.
fn labels_stay(old: &Column, now: &Key, new: &Column) -> bool {
    let Some(old) = old.shape.as_ref().and_then(|shape| shape.as_array()) else {
        return false;
    };
    let shape = new.type_id.and_then(|id| now.shapes.get(&id.oid));
    let Some(Form::Labels(new)) = shape.map(|shape| &shape.form) else {
        return false;
    };
    let stays =
        |label: &serde_json::Value| new.iter().any(|new| Some(&new.text[..]) == label.as_str());
    old.iter().all(stays)
}

/// A type's name without its modifier, and the numbers of that.
fn taken_apart(type_name: &str) -> (String, Vec<i64>) {
    let Some((before, rest)) = type_name.split_once('(') else {
        return (type_name.to_owned(), Vec::new());
    };
    let Some((modifier, after)) = rest.split_once(')') else {
        return (type_name.to_owned(), Vec::new());
    };
    let numbers = modifier.split(',').map(|number| number.trim().parse());
    match numbers.collect() {
        Ok(numbers) => (format!("{before}{after}"), numbers),
        Err(_) => (type_name.to_owned(), Vec::new()),
    }
}

/// Whether a value reads alike in both encodings, whatever it is.
fn is_written_alike(type_name: &str) -> bool {
    let (name, modifier) = taken_apart(type_name);
    match &name[..] {
        "smallint"
        | "integer"
        | "bigint"
        | "boolean"
        | "text"
        | "character varying"
        | "character"
        | "name"
        | "\"char\""
        | "uuid"
        | "date"
        | "bytea"
        | "oid"
        | "inet"
        | "cidr"
        | "macaddr"
        | "macaddr8"
        | "interval"
        | "time without time zone"
        | "time with time zone"
        | "timestamp without time zone"
        | "timestamp with time zone" => true,
        "numeric" => !modifier.is_empty(),
        _ => false,
    }
}

/// Whether values of a type point to objects of the database, or a dump may bring them back otherwise.
fn is_reference(type_name: &str) -> bool {
    let starts = ["reg", "aclitem", "tsquery"];
    type_name == "oid" || starts.iter().any(|name| type_name.starts_with(name))
}

/// What a name of one epoch is in another, where the text tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Translation {
    /// How many parts a name has.
    parts: usize,
    /// For each part of the other name: which part of this one it is, and labels that are called otherwise.
    from: Vec<(usize, Option<HashMap<String, String>>)>,
}

impl Translation {
    /// From one key to another, if each column of the other is one of this, none of them `computed` in between.
    pub(super) fn of(
        then: &Key,
        now: &Key,
        computed: impl Fn(&Key, &Column) -> bool,
    ) -> Option<Translation> {
        let part = |new: &Column| {
            if computed(now, new) {
                return None;
            }
            let at = then
                .columns
                .iter()
                .position(|old| then.is_same(old, now, new))?;
            match texts((then, &then.columns[at]), (now, new)) {
                Texts::Same => Some((at, None)),
                Texts::Relabelled(labels) => Some((at, Some(labels))),
                Texts::SameType | Texts::Other => None,
            }
        };
        Some(Translation {
            parts: then.columns.len(),
            from: now.columns.iter().map(part).collect::<Option<_>>()?,
        })
    }

    /// What a name is called there; `None` if it is none of this key.
    pub fn apply(&self, name: &[u8]) -> Option<Vec<u8>> {
        let parts = key_text::split_key(name, self.parts)?;
        let texts = self.from.iter().map(|(at, labels)| {
            let text = &parts[*at];
            match labels {
                None => Some(text.clone()),
                Some(labels) => {
                    let label = std::str::from_utf8(text).ok()?;
                    labels.get(label).map(|now| now.clone().into_bytes())
                }
            }
        });
        Some(compose(&texts.collect::<Option<Vec<_>>>()?))
    }
}

/// A name of these texts.
pub fn compose(texts: &[Vec<u8>]) -> Vec<u8> {
    if let [text] = texts {
        return text.clone();
    }
    let mut name = Vec::new();
    for (at, text) in texts.iter().enumerate() {
        name.put_byte(if at == 0 { b'[' } else { b',' });
        write_string(text, &mut name);
    }
    name.put_byte(b']');
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_composed_as_they_are_split() {
        assert_eq!(compose(&[b"a\"b".to_vec()]), b"a\"b");
        let texts = [b"a\"b".to_vec(), b"7".to_vec()];
        assert_eq!(compose(&texts), br#"["a\"b","7"]"#);
        assert_eq!(key_text::split_key(&compose(&texts), 2).unwrap(), texts);
    }
}
