//! A finding as an alert tells it, and what makes two findings the same break.

use std::collections::BTreeMap;

use auditspine_core::canonical::write_string;
use auditspine_core::finding::{Definition, Kind, Layer, Severity};
use auditspine_core::hash::Hash;
use auditspine_core::verify::Finding;

use crate::verify::links::evidence_of;

/// Bytes of a key in a sentence.
const KEY_BYTES: usize = 256;

/// A finding of any layer.
pub struct Break<'a> {
    /// Name of the chain.
    pub chain: Option<&'a str>,
    /// Qualified name of the table or partition.
    pub table: Option<&'a str>,
    /// Kind of the events.
    pub kind: Option<&'a [u8]>,
    /// Key of the row or event.
    pub pk: Option<&'a [u8]>,
    /// Lane and position of the entry.
    pub place: Option<(i16, i64)>,
    /// Number of the entry.
    pub seq: Option<i64>,
    /// What was found.
    pub definition: &'static Definition,
    /// The facts, in a sentence.
    pub detail: &'a str,
    /// What should stand there.
    pub expected: Option<&'a [u8]>,
    /// What stands there.
    pub found: Option<&'a [u8]>,
    /// Further members of the evidence: name and canonical JSON.
    pub more: Vec<(&'static str, Vec<u8>)>,
    /// All findings of this label in a lane are one break.
    pub of_lane: bool,
}

impl<'a> Break<'a> {
    /// A finding about nothing yet.
    pub fn new(kind: impl Kind, detail: &'a str) -> Break<'a> {
        Break {
            chain: None,
            table: None,
            kind: None,
            pk: None,
            place: None,
            seq: None,
            definition: kind.definition(),
            detail,
            expected: None,
            found: None,
            more: Vec::new(),
            of_lane: false,
        }
    }

    /// A finding about a link.
    pub fn of_link(finding: &'a Finding) -> Break<'a> {
        Break {
            chain: finding.chain.as_deref(),
            kind: Some(&finding.event_kind),
            pk: finding.event_pk.as_deref(),
            place: Some((finding.lane, finding.pos)),
            seq: Some(finding.seq),
            expected: finding.expected.as_ref().map(|hash| &hash.0[..]),
            found: finding.found.as_deref(),
            more: evidence_of(finding)
                .map(|json| vec![("neighbours", json)])
                .unwrap_or_default(),
            ..Break::new(finding.kind, &finding.detail)
        }
    }

    /// Tells this break from every other, whenever it is found: SHA-256 of the canonical JSON of
    /// what is wrong and where.
    pub fn digest(&self) -> Hash {
        let mut members = BTreeMap::new();
        members.insert("chain", string(self.chain.map(str::as_bytes)));
        members.insert("finding", string(Some(self.definition.label.as_bytes())));
        members.insert(
            "layer",
            string(Some(self.definition.layer.label().as_bytes())),
        );
        if self.of_lane {
            members.insert("lane", number(self.place.map(|(lane, _)| lane.into())));
            return Hash::of(&object(&members));
        }
        members.append(&mut self.facts());
        members.insert("key", string(self.pk));
        members.insert("kind", string(self.kind));
        members.insert("seq", number(self.seq));
        // A row is known by its kind and key, whatever the table is called.
        if self.kind.is_none() || (self.pk.is_none() && self.seq.is_none()) {
            members.insert("table", string(self.table.map(str::as_bytes)));
        }
        Hash::of(&object(&members))
    }

    /// The evidence, as canonical JSON: places, hashes and numbers, and nothing that rows contain, since
    /// every auditor reads it.
    pub fn evidence(&self) -> Vec<u8> {
        let mut members = self.facts();
        for (name, json) in &self.more {
            members.insert(name, json.clone());
        }
        object(&members)
    }

    fn facts(&self) -> BTreeMap<&'static str, Vec<u8>> {
        BTreeMap::from([
            ("expected", hex(self.expected)),
            ("found", hex(self.found)),
            ("lane", number(self.place.map(|(lane, _)| lane.into()))),
            ("pos", number(self.place.map(|(_, pos)| pos))),
        ])
    }

    /// What is sent to those who listen, as canonical JSON: whoever may connect may listen, so it says
    /// neither where nor about what. The alert does.
    pub fn notification(&self, alert_id: i64, kind: &str) -> Vec<u8> {
        object(&BTreeMap::from([
            ("alert_id", number(Some(alert_id))),
            ("finding", string(Some(self.definition.label.as_bytes()))),
            ("kind", string(Some(kind.as_bytes()))),
            (
                "layer",
                string(Some(self.definition.layer.label().as_bytes())),
            ),
            ("seq", number(self.seq)),
            (
                "severity",
                string(Some(self.definition.severity.label().as_bytes())),
            ),
        ]))
    }

    /// In a sentence, for the summary.
    pub fn sentence(&self) -> String {
        let mut sentence = self.definition.label.to_owned();
        if let Some(pk) = self.pk.filter(|_| self.definition.layer == Layer::Rows) {
            let pk = String::from_utf8_lossy(beginning(pk, KEY_BYTES));
            sentence.push_str(&format!(", key {pk}"));
        }
        if let Some(seq) = self.seq {
            sentence.push_str(&format!(" at seq {seq}"));
        }
        sentence.push_str(": ");
        sentence.push_str(self.detail);
        sentence
    }
}

/// What is sent in the place of many more alerts, as canonical JSON.
pub fn notification_of_more(more: i64, kind: &str) -> Vec<u8> {
    object(&BTreeMap::from([
        ("kind", string(Some(kind.as_bytes()))),
        ("more", number(Some(more))),
        (
            "severity",
            string(Some(Severity::Critical.label().as_bytes())),
        ),
    ]))
}

/// As much of a UTF-8 text as fits into `bytes`, whole characters only.
fn beginning(text: &[u8], bytes: usize) -> &[u8] {
    let mut end = text.len().min(bytes);
    while end > 0 && text.get(end).is_some_and(|byte| byte & 0xc0 == 0x80) {
        end -= 1;
    }
    &text[..end]
}

fn string(text: Option<&[u8]>) -> Vec<u8> {
    let mut json = Vec::new();
    match text {
        // Stored text is valid UTF-8; what was forged in a bytea column need not be.
        Some(text) => write_string(String::from_utf8_lossy(text).as_bytes(), &mut json),
        None => json.extend_from_slice(b"null"),
    }
    json
}

fn hex(bytes: Option<&[u8]>) -> Vec<u8> {
    let text: Option<String> =
        bytes.map(|bytes| bytes.iter().map(|byte| format!("{byte:02x}")).collect());
    string(text.as_deref().map(str::as_bytes))
}

/// A number, as a string beyond what every reader of JSON takes exactly.
fn number(value: Option<i64>) -> Vec<u8> {
    const EXACT: u64 = 1 << 53;
    match value {
        None => b"null".to_vec(),
        Some(value) if value.unsigned_abs() <= EXACT => value.to_string().into_bytes(),
        Some(value) => format!("\"{value}\"").into_bytes(),
    }
}

/// The canonical JSON of an object; names are ASCII, so their order is that of bytes.
fn object(members: &BTreeMap<&'static str, Vec<u8>>) -> Vec<u8> {
    let mut json = vec![b'{'];
    for (name, value) in members {
        if json.len() > 1 {
            json.push(b',');
        }
        write_string(name.as_bytes(), &mut json);
        json.push(b':');
        json.extend_from_slice(value);
    }
    json.push(b'}');
    json
}
