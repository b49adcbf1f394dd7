//! What types were like under a recorded layout, told for the types as they are now: labels of enums and
//! attributes of composite types are called otherwise, or were added.
//!
//! Within one incarnation oids and attribute numbers tell which is which. A dump numbers types, labels and
//! attributes anew, but keeps their names, and labels in their order.

use std::collections::{BTreeMap, BTreeSet};

use super::layout::{Column, CurrentColumns, Layout};
use super::types::{Attribute, Form, Label, Overrides, Shape, Shapes};

/// What the types in a layout's columns were like, by the types' oids in one incarnation.
#[derive(Clone, Debug, Default)]
pub(super) struct Then {
    labels: BTreeMap<u32, BTreeMap<u32, String>>,
    attributes: BTreeMap<u32, BTreeMap<i16, ThenAttribute>>,
    sent: BTreeSet<u32>,
}

/// An attribute's name and modifier then, and what tells in this incarnation that it is still of its type:
/// `None` if nothing does.
#[derive(Clone, Debug)]
struct ThenAttribute {
    name: String,
    modifier: i32,
    /// The type's oid in this incarnation, if it is known, and its name.
    oid: Option<u32>,
    type_name: String,
}

/// How present values are written as a layout did.
#[derive(Clone, Debug, Default)]
pub(super) struct Now {
    /// What to write otherwise than now.
    pub overrides: Overrides,
    /// Types of which the values cannot be written as they were, and why.
    pub lost: BTreeMap<u32, String>,
}

impl Then {
    /// In the incarnation of the layout itself.
    pub fn of(layout: &Layout) -> Then {
        let mut then = Then::default();
        for (oid, shape) in &layout.shapes {
            match &shape.form {
                Form::Labels(labels) => {
                    let texts = labels.iter().map(|label| (label.oid, label.text.clone()));
                    then.labels.insert(*oid, texts.collect());
                }
                Form::Attributes(attributes) => {
                    let all = attributes.iter().map(|attribute| {
                        let it = ThenAttribute {
                            name: attribute.name.clone(),
                            modifier: attribute.type_id.map_or(-1, |id| id.modifier),
                            oid: attribute.type_id.map(|id| id.oid),
                            type_name: attribute.type_name.clone(),
                        };
                        (attribute.attnum, it)
                    });
                    then.attributes.insert(*oid, all.collect());
                }
                Form::Send => {
                    then.sent.insert(*oid);
                }
            }
        }
        then
    }

    /// In another incarnation, whose types `there` lists; `last_first` are the layouts of this one.
    pub fn carried(&self, last_first: &[&Layout], there: &Shapes) -> Then {
        let mut carried = Then::default();
        let last = |oid: &u32| last_first.iter().find_map(|from| from.shapes.get(oid));
        let same = |shape: &Shape| {
            let mut all = there.iter();
            all.find(|(_, other)| other.type_name == shape.type_name)
        };
        for (oid, texts) in &self.labels {
            let Some(Form::Labels(old)) = last(oid).map(|shape| &shape.form) else {
                continue;
            };
            if let Some((oid, Shape { form, .. })) = last(oid).and_then(same)
                && let Form::Labels(new) = form
            {
                let texts = new.iter().enumerate().filter_map(|(at, label)| {
                    let was = counterpart(at, label, old, new.len())?;
                    Some((label.oid, texts.get(&was.oid)?.clone()))
                });
                carried.labels.insert(*oid, texts.collect());
            }
        }
        for (oid, attributes) in &self.attributes {
            let Some(Form::Attributes(old)) = last(oid).map(|shape| &shape.form) else {
                continue;
            };
            if let Some((oid, Shape { form, .. })) = last(oid).and_then(same)
                && let Form::Attributes(new) = form
            {
                let all = attributes.iter().map(|(attnum, then)| {
                    let was = old.iter().find(|column| column.attnum == *attnum);
                    let now = was.and_then(|was| new.iter().find(|now| now.name == was.name));
                    let then = ThenAttribute {
                        oid: now.and_then(|now| now.type_id).map(|id| id.oid),
                        type_name: was.map_or(&then.type_name, |was| &was.type_name).clone(),
                        ..then.clone()
                    };
                    // One that is gone keeps a number that no attribute has.
                    (now.map_or(-*attnum, |now| now.attnum), then)
                });
                carried.attributes.insert(*oid, all.collect());
            }
        }
        for oid in &self.sent {
            carried
                .sent
                .extend(last(oid).and_then(same).map(|(oid, _)| *oid));
        }
        carried
    }

    /// What is to be written in these columns otherwise than types are now.
    pub fn compared(&self, present: &CurrentColumns, columns: &BTreeSet<i16>) -> Now {
        let contents = columns
            .iter()
            .filter_map(|attnum| present.contains.get(attnum));
        let contained: BTreeSet<u32> = contents.flatten().copied().collect();
        let now = &present.shapes;
        let mut compared = Now::default();
        for (oid, shape) in now.iter().filter(|(oid, _)| contained.contains(oid)) {
            match &shape.form {
                Form::Labels(labels) => self.compare_labels(*oid, labels, &mut compared),
                Form::Attributes(attributes) => {
                    self.compare_attributes(*oid, shape, attributes, &mut compared);
                }
                Form::Send if !self.sent.contains(oid) => {
                    compared.overrides.sent.insert(*oid, false);
                }
                Form::Send => {}
            }
        }
        for oid in &self.sent {
            if !now.contains_key(oid) {
                compared.overrides.sent.insert(*oid, true);
            }
        }
        compared
    }

    fn compare_labels(&self, oid: u32, labels: &[Label], compared: &mut Now) {
        let Some(then) = self.labels.get(&oid) else {
            return;
        };
        let differing: BTreeMap<u32, String> = labels
            .iter()
            .filter_map(|label| {
                let text = then.get(&label.oid)?;
                (*text != label.text).then(|| (label.oid, text.clone()))
            })
            .collect();
        if !differing.is_empty() {
            compared.overrides.labels.insert(oid, differing);
        }
    }

    fn compare_attributes(
        &self,
        oid: u32,
        shape: &Shape,
        attributes: &[Column],
        compared: &mut Now,
    ) {
        let Some(then) = self.attributes.get(&oid) else {
            return;
        };
        let mut same = then.len() == attributes.len();
        let mut all = Vec::new();
        for (attnum, was) in then {
            let now = attributes.iter().find(|column| column.attnum == *attnum);
            let is_of_type = now.is_some_and(|now| match (was.oid, now.type_id) {
                (Some(was), Some(now)) => was == now.oid,
                _ => was.type_name == now.type_name,
            });
            if !is_of_type {
                let what = format!(
                    "attribute \"{}\" of type {} is gone or of another type",
                    was.name, shape.type_name
                );
                compared.lost.insert(oid, what);
                return;
            }
            let modifier = now.and_then(|now| now.type_id).map(|id| id.modifier);
            same &= now.is_some_and(|now| now.name == was.name) && modifier == Some(was.modifier);
            all.push(Attribute {
                attnum: *attnum,
                name: was.name.clone(),
                modifier: was.modifier,
            });
        }
        if !same {
            compared.overrides.attributes.insert(oid, all);
        }
    }
}

impl Now {
    /// Whether types are as they were.
    pub fn is_nothing(&self) -> bool {
        self.overrides == Overrides::default() && self.lost.is_empty()
    }

    /// Why the values of a column cannot be written as they were, if they cannot.
    pub fn lost_in(&self, present: &CurrentColumns, attnum: i16) -> Option<&str> {
        let contains = present.contains.get(&attnum)?;
        let lost = self.lost.iter().find(|(oid, _)| contains.contains(oid));
        lost.map(|(_, why)| &why[..])
    }
}

/// Which label of a dumped enum a restored one is: the one at its place, if there are as many; else the one of
/// its name.
fn counterpart<'a>(at: usize, label: &Label, old: &'a [Label], count: usize) -> Option<&'a Label> {
    if old.len() == count {
        old.get(at)
    } else {
        old.iter().find(|old| old.text == label.text)
    }
}
