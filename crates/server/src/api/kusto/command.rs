//! Reading management commands: words, quoted names, and the operators that may follow a `|`.

/// A command: its words, and where the rest that is a query begins.
#[derive(Debug, PartialEq)]
pub struct Command {
    /// Words without quotes; brackets and commas are words of their own.
    pub words: Vec<String>,
    /// The words in lower case.
    pub lower: Vec<String>,
    /// The byte of the first `|` outside of quotes.
    pub pipe: Option<usize>,
}

impl Command {
    pub fn read(text: &str) -> Command {
        let (mut words, mut pipe) = (Vec::new(), None);
        let mut rest = text.char_indices().peekable();
        while let Some((at, letter)) = rest.next() {
            match letter {
                '|' => {
                    pipe = Some(at);
                    break;
                }
                '(' | ')' | ',' | '=' | ';' => words.push(letter.to_string()),
                '"' | '\'' => {
                    let mut word = String::new();
                    while let Some((_, inner)) = rest.next() {
                        match inner {
                            '\\' => word.extend(rest.next().map(|(_, escaped)| escaped)),
                            end if end == letter => break,
                            other => word.push(other),
                        }
                    }
                    words.push(word);
                }
                '/' if rest.peek().is_some_and(|(_, next)| *next == '/') => {
                    while rest.next_if(|(_, inner)| *inner != '\n').is_some() {}
                }
                '[' | ']' => {}
                space if space.is_whitespace() => {}
                first => {
                    let mut word = first.to_string();
                    let ends = |c: char| c.is_whitespace() || "|(),=;\"'[]".contains(c);
                    while let Some((_, inner)) = rest.next_if(|(_, inner)| !ends(*inner)) {
                        word.push(inner);
                    }
                    words.push(word);
                }
            }
        }
        let lower = words.iter().map(|word| word.to_lowercase()).collect();
        Command { words, lower, pipe }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_have_words_quoted_names_and_a_rest() {
        for (text, words, pipe) in [
            (".show tables", vec![".show", "tables"], None),
            (".show  table ['My T'] cslschema", vec![".show", "table", "My T", "cslschema"], None),
            (".show tables (A,B)|count", vec![".show", "tables", "(", "A", ",", "B", ")"], Some(18)),
            (".cancel query \"a|b;c\"", vec![".cancel", "query", "a|b;c"], None),
            ("// why\n.show version", vec![".show", "version"], None),
        ] {
            let command = Command::read(text);
            assert_eq!((command.words, command.pipe), (words.into_iter().map(str::to_owned).collect(), pipe), "{text}");
        }
    }
}
