//! What a trigger says of the table it audits: its arguments, parsed.
//!
//! ```text
//! audit_chain_append([kind | 'kind=kind'] [, 'pk=a,b'] [, 'chain=name' | 'chain_by=a,b']
//!                    [, 'payload=hash|full'] [, 'exclude=a,b'] [, 'unchanged=record|skip'])
//! ```
//!
//! Column names are taken as they are in the catalog; one that holds a comma or a quote is written in
//! double quotes, as in SQL. A kind that holds an equals sign is written as `kind=…`.

use crate::error::Failure;
use crate::ledger::system_entry::is_reserved;

/// Which chain a row's events go to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChainOf {
    /// One chain for all rows.
    Named(String),
    /// The chain named by these columns of the row.
    By(Vec<String>),
}

/// A trigger's arguments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Declaration {
    /// Kind of the events; by default the table's name.
    pub kind: Option<String>,
    /// Key columns; by default the primary key.
    pub pk: Option<Vec<String>>,
    /// Where events go.
    pub chain: ChainOf,
    /// Whether the row is kept beside its hash.
    pub full_payload: bool,
    /// Columns left out of hash and payload.
    pub exclude: Vec<String>,
    /// Whether an UPDATE that leaves the hash as it was is no event.
    pub skip_unchanged: bool,
}

const HINT: &str = "arguments are the kind (or 'kind=…'), then any of 'pk=column,…', 'chain=name', \
                    'chain_by=column,…', 'payload=hash', 'payload=full', 'exclude=column,…', \
                    'unchanged=record', 'unchanged=skip'";

/// Parses a trigger's arguments; an ERROR that shows the one at fault.
pub fn parse(arguments: &[String]) -> Declaration {
    try_parse(arguments)
        .unwrap_or_else(|problem| Failure::InvalidTriggerArgument.raise(problem, HINT))
}

/// As [`parse`]; the message, if something is not understood.
pub fn try_parse(arguments: &[String]) -> Result<Declaration, String> {
    let mut declaration = Declaration {
        kind: None,
        pk: None,
        chain: ChainOf::Named("main".to_owned()),
        full_payload: false,
        exclude: Vec::new(),
        skip_unchanged: false,
    };
    let mut seen: Vec<&str> = Vec::new();
    for (at, argument) in arguments.iter().enumerate() {
        let Some((name, value)) = argument.split_once('=') else {
            if at > 0 || argument.is_empty() {
                return Err(format!(
                    "trigger argument {} is not understood: \"{argument}\"",
                    at + 1
                ));
            }
            declaration.kind = Some(kind(argument)?);
            seen.push("kind");
            continue;
        };
        let slot = if name == "chain_by" { "chain" } else { name };
        if seen.contains(&slot) {
            return Err(format!(
                "trigger argument \"{argument}\" repeats or contradicts an earlier one"
            ));
        }
        seen.push(slot);
        match name {
            "kind" if !value.is_empty() => declaration.kind = Some(kind(value)?),
            "pk" => declaration.pk = Some(columns(argument, value)?),
            "chain" if !value.is_empty() => declaration.chain = ChainOf::Named(value.to_owned()),
            "chain_by" => declaration.chain = ChainOf::By(columns(argument, value)?),
            "payload" if value == "hash" => {}
            "payload" if value == "full" => declaration.full_payload = true,
            "exclude" => declaration.exclude = columns(argument, value)?,
            "unchanged" if value == "record" => {}
            "unchanged" if value == "skip" => declaration.skip_unchanged = true,
            "kind" | "chain" | "payload" | "unchanged" => {
                return Err(format!(
                    "trigger argument \"{argument}\" has a value that is not allowed"
                ));
            }
            _ => return Err(format!("unknown trigger argument \"{argument}\"")),
        }
    }
    Ok(declaration)
}

/// The longest kind that a trigger may name, in bytes: it must fit into an index entry together with a key.
const MAX_KIND: usize = 1500;

fn kind(kind: &str) -> Result<String, String> {
    if kind.len() > MAX_KIND {
        return Err(format!(
            "kind \"{kind:.60}…\" is {} bytes long, and at most {MAX_KIND} are allowed",
            kind.len()
        ));
    }
    if is_reserved(kind) {
        return Err(format!(
            "kind \"{kind}\" is reserved for auditspine's own entries"
        ));
    }
    Ok(kind.to_owned())
}

impl Declaration {
    /// The arguments that [`parse`] reads back as this declaration. What is the default is left out.
    pub fn arguments(&self) -> Vec<String> {
        let mut arguments = Vec::new();
        if let Some(kind) = &self.kind {
            arguments.push(if kind.contains('=') {
                format!("kind={kind}")
            } else {
                kind.clone()
            });
        }
        if let Some(pk) = &self.pk {
            arguments.push(format!("pk={}", join(pk)));
        }
        match &self.chain {
            ChainOf::Named(name) if name == "main" => {}
            ChainOf::Named(name) => arguments.push(format!("chain={name}")),
            ChainOf::By(columns) => arguments.push(format!("chain_by={}", join(columns))),
        }
        if self.full_payload {
            arguments.push("payload=full".to_owned());
        }
        if !self.exclude.is_empty() {
            arguments.push(format!("exclude={}", join(&self.exclude)));
        }
        if self.skip_unchanged {
            arguments.push("unchanged=skip".to_owned());
        }
        arguments
    }
}

impl Declaration {
    /// The declaration after a column was renamed, or was dropped (`new` is `None`): a key without it
    /// would be another key, so then it is only taken out of what is left out anyway. `None` if
    /// nothing changes.
    pub fn after_change(&self, old: &str, new: Option<&str>) -> Option<Declaration> {
        let mut after = self.clone();
        if let Some(new) = new {
            let by = match &mut after.chain {
                ChainOf::By(columns) => Some(columns),
                ChainOf::Named(_) => None,
            };
            for column in [after.pk.as_mut(), by, Some(&mut after.exclude)]
                .into_iter()
                .flatten()
                .flatten()
                .filter(|column| *column == old)
            {
                new.clone_into(column);
            }
        } else {
            after.exclude.retain(|column| column != old);
        }
        (after != *self).then_some(after)
    }
}

/// Lists column names, in double quotes where [`split`] would not read them back as they are.
fn join(names: &[String]) -> String {
    let quoted = names.iter().map(|name| {
        if name.contains([',', '"']) || name.trim() != name {
            format!("\"{}\"", name.replace('"', "\"\""))
        } else {
            name.clone()
        }
    });
    quoted.collect::<Vec<_>>().join(",")
}

fn columns(argument: &str, value: &str) -> Result<Vec<String>, String> {
    let Some(names) = split(value) else {
        return Err(format!(
            "trigger argument \"{argument}\" has an unbalanced double quote"
        ));
    };
    let repeated = names
        .iter()
        .enumerate()
        .any(|(at, name)| names[..at].contains(name));
    if repeated || names.iter().any(String::is_empty) {
        return Err(format!(
            "trigger argument \"{argument}\" does not list distinct column names"
        ));
    }
    Ok(names)
}

/// Splits at commas outside double quotes; `""` inside quotes is a quote. `None` if a quote is left
/// open.
fn split(list: &str) -> Option<Vec<String>> {
    let mut names = Vec::new();
    let (mut name, mut quoted, mut was_quoted) = (String::new(), false, false);
    let mut end = |name: &mut String, was_quoted: &mut bool| {
        let text = std::mem::take(name);
        let quoted = std::mem::take(was_quoted);
        names.push(if quoted { text } else { text.trim().to_owned() });
    };
    let mut characters = list.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '"' if quoted && characters.peek() == Some(&'"') => {
                characters.next();
                name.push('"');
            }
            '"' => {
                if !quoted && name.trim().is_empty() {
                    name.clear();
                }
                quoted = !quoted;
                was_quoted = true;
            }
            ',' if !quoted => end(&mut name, &mut was_quoted),
            character if was_quoted && !quoted && character.is_whitespace() => {}
            character => name.push(character),
        }
    }
    end(&mut name, &mut was_quoted);
    (!quoted).then_some(names)
}
