//! What a trigger says of the table it audits: its arguments, parsed.
//!
//! ```text
//! audit_chain_append([kind] [, 'pk=a,b'] [, 'chain=name' | 'chain_by=a,b'] [, 'payload=hash|full']
//!                    [, 'exclude=a,b'])
//! ```
//!
//! Column names are taken as they are in the catalog; one that holds a comma or a quote is written in
//! double quotes, as in SQL.

use crate::error::Failure;

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
}

const HINT: &str = "arguments are the kind, then any of 'pk=column,…', 'chain=name', \
                    'chain_by=column,…', 'payload=hash', 'payload=full', 'exclude=column,…'";

/// Parses a trigger's arguments; an ERROR that shows the one at fault.
pub fn parse(arguments: &[String]) -> Declaration {
    let mut declaration = Declaration {
        kind: None,
        pk: None,
        chain: ChainOf::Named("main".to_owned()),
        full_payload: false,
        exclude: Vec::new(),
    };
    let mut seen: Vec<&str> = Vec::new();
    for (at, argument) in arguments.iter().enumerate() {
        let Some((name, value)) = argument.split_once('=') else {
            if at > 0 || argument.is_empty() {
                refuse(format!(
                    "trigger argument {} is not understood: \"{argument}\"",
                    at + 1
                ));
            }
            if is_reserved(argument) {
                refuse(format!(
                    "kind \"{argument}\" is reserved for auditspine's own entries"
                ));
            }
            declaration.kind = Some(argument.clone());
            continue;
        };
        let slot = if name == "chain_by" { "chain" } else { name };
        if seen.contains(&slot) {
            refuse(format!(
                "trigger argument \"{argument}\" repeats or contradicts an earlier one"
            ));
        }
        seen.push(slot);
        match name {
            "pk" => declaration.pk = Some(columns(argument, value)),
            "chain" if !value.is_empty() => declaration.chain = ChainOf::Named(value.to_owned()),
            "chain_by" => declaration.chain = ChainOf::By(columns(argument, value)),
            "payload" if value == "hash" => {}
            "payload" if value == "full" => declaration.full_payload = true,
            "exclude" => declaration.exclude = columns(argument, value),
            "chain" | "payload" => refuse(format!(
                "trigger argument \"{argument}\" has a value that is not allowed"
            )),
            _ => refuse(format!("unknown trigger argument \"{argument}\"")),
        }
    }
    declaration
}

/// Whether a kind is one of the extension's own.
pub fn is_reserved(kind: &str) -> bool {
    kind.starts_with("auditspine.")
}

fn refuse(message: String) -> ! {
    Failure::InvalidTriggerArgument.raise(message, HINT)
}

fn columns(argument: &str, value: &str) -> Vec<String> {
    let Some(names) = split(value) else {
        refuse(format!(
            "trigger argument \"{argument}\" has an unbalanced double quote"
        ));
    };
    let repeated = names
        .iter()
        .enumerate()
        .any(|(at, name)| names[..at].contains(name));
    if repeated || names.iter().any(String::is_empty) {
        refuse(format!(
            "trigger argument \"{argument}\" does not list distinct column names"
        ));
    }
    names
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
