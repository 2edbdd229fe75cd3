//! Command lines as Windows splits them for a program (`CommandLineToArgvW`).

/// The program and its arguments. Backslashes are literal unless a quote follows them; in the program's name they are
/// always literal.
pub fn windows_arguments(line: &str) -> Vec<String> {
    let mut arguments = Vec::new();
    let line = line.trim_start_matches([' ', '\t']);
    if line.is_empty() {
        return arguments;
    }
    let (program, mut rest) = match line.strip_prefix('"') {
        Some(after) => after.split_once('"').unwrap_or((after, "")),
        None => line.split_at(line.find([' ', '\t']).unwrap_or(line.len())),
    };
    arguments.push(program.to_owned());
    rest = rest.trim_start_matches([' ', '\t']);
    while !rest.is_empty() {
        let (argument, after) = next_argument(rest);
        arguments.push(argument);
        rest = after.trim_start_matches([' ', '\t']);
    }
    arguments
}

fn next_argument(text: &str) -> (String, &str) {
    let bytes = text.as_bytes();
    let mut argument = String::new();
    let mut quoted = false;
    let mut at = 0;
    while at < bytes.len() {
        match bytes[at] {
            b'\\' => {
                let slashes = bytes[at..].iter().take_while(|byte| **byte == b'\\').count();
                at += slashes;
                if bytes.get(at) == Some(&b'"') {
                    argument.extend(std::iter::repeat_n('\\', slashes / 2));
                    if slashes % 2 == 1 {
                        argument.push('"');
                        at += 1;
                    }
                } else {
                    argument.extend(std::iter::repeat_n('\\', slashes));
                }
            }
            b'"' => {
                at += 1;
                if quoted && bytes.get(at) == Some(&b'"') {
                    argument.push('"');
                    at += 1;
                } else {
                    quoted = !quoted;
                }
            }
            b' ' | b'\t' if !quoted => break,
            _ => {
                let end = text[at..].find(['\\', '"', ' ', '\t']).map_or(text.len(), |found| at + found).max(at + 1);
                argument.push_str(&text[at..end]);
                at = end;
            }
        }
    }
    (argument, &text[at..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_and_backslashes_follow_the_rules_of_windows() {
        for (line, want) in [
            (r#"echo "hello world!""#, vec!["echo", "hello world!"]),
            (r#""C:\Program Files\a.exe" /x  b\"c d\\"e f""#, vec![r"C:\Program Files\a.exe", "/x", "b\"c", r"d\e f"]),
            (r#"a "b c\d" "" e""#, vec!["a", r"b c\d", "", "e"]),
            (r#"a "x""y z""#, vec!["a", "x\"y z"]),
            ("", vec![]),
        ] {
            assert_eq!(windows_arguments(line), want, "{line}");
        }
    }
}
