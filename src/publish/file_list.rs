//! A setting that lists files: separated by commas, in double quotes where a name has commas in it, or
//! spaces at its ends; a double quote within quotes is doubled. As PostgreSQL reads its own.

/// The names in a list, in order; a message if it is none. An empty text is an empty list.
pub fn parse(text: &str) -> Result<Vec<String>, String> {
    let mut names = Vec::new();
    let mut rest = text.trim_ascii();
    if text.is_empty() {
        return Ok(names);
    }
    loop {
        let (name, behind) = match rest.strip_prefix('"') {
            Some(quoted) => quoted_name(quoted)?,
            None => {
                let (name, behind) = rest.split_at(rest.find(',').unwrap_or(rest.len()));
                (name.trim_ascii_end().to_owned(), behind)
            }
        };
        if name.is_empty() {
            return Err(format!("file {} of the list has no name", names.len() + 1));
        }
        if names.contains(&name) {
            return Err(format!("file \"{name}\" is listed twice"));
        }
        names.push(name);
        let behind = behind.trim_ascii_start();
        if behind.is_empty() {
            return Ok(names);
        }
        rest = behind
            .strip_prefix(',')
            .ok_or_else(|| format!("no comma is between a quoted name and \"{behind}\""))?
            .trim_ascii_start();
    }
}

/// The name that a quote has opened, and what comes behind the one that closes it.
fn quoted_name(text: &str) -> Result<(String, &str), String> {
    let mut name = String::new();
    let mut rest = text;
    loop {
        let (part, behind) = rest
            .split_once('"')
            .ok_or_else(|| format!("no quote ends \"{text}"))?;
        name.push_str(part);
        let Some(more) = behind.strip_prefix('"') else {
            return Ok((name, behind));
        };
        name.push('"');
        rest = more;
    }
}

#[cfg(test)]
mod unit {
    use super::parse;

    #[test]
    fn names_are_told_apart() {
        let names = |text: &str| parse(text).unwrap_or_else(|message| vec![message]);
        assert_eq!(names(""), Vec::<String>::new());
        assert_eq!(names("/a/b"), ["/a/b"]);
        assert_eq!(
            names(" /a b , /c,\t\"/d, e \" , \"/f\"\"g\" "),
            ["/a b", "/c", "/d, e ", "/f\"g"]
        );
        assert_eq!(names("/é,/è"), ["/é", "/è"]);
        // A quote within a name is part of it.
        assert_eq!(names("/a\"b"), ["/a\"b"]);
    }

    #[test]
    fn what_is_no_list_is_told() {
        for (text, message) in [
            (" ", "file 1 of the list has no name"),
            ("/a,", "file 2 of the list has no name"),
            (",/a", "file 1 of the list has no name"),
            ("/a,,/b", "file 2 of the list has no name"),
            ("/a,\"\"", "file 2 of the list has no name"),
            ("/a, /b,/a", "file \"/a\" is listed twice"),
            ("\"/a", "no quote ends \"/a"),
            (
                "\"/a\"b,/c",
                "no comma is between a quoted name and \"b,/c\"",
            ),
        ] {
            assert_eq!(parse(text), Err(message.to_owned()), "{text}");
        }
    }
}
