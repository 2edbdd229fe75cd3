//! Patterns on texts: regular expressions, wildcards, SQL patterns, substrings. All take time linear in the text or,
//! for wildcards, in text times pattern; none can be made to run away.

use std::fmt;

use regex::{Regex, RegexBuilder};

/// The longest pattern, in bytes.
pub const MAX_PATTERN: usize = 8 * 1024;
/// The largest compiled regular expression, in bytes.
const MAX_COMPILED: usize = 1 << 20;
/// What one regular expression may hold as cache while it runs, in bytes: an agent has hundreds of them.
const MAX_CACHE: usize = 128 << 10;

/// A pattern, ready to match.
#[derive(Clone)]
pub enum Pattern {
    /// `MatchesRegularExpression`: anywhere in the text.
    Regex(Regex),
    /// The whole text.
    Wildcard {
        /// What it is made of.
        tokens: Vec<Token>,
        /// With case.
        case_sensitive: bool,
    },
    /// `ContainsSubstring`
    Substring {
        /// In lower case where case does not count.
        text: String,
        /// With case.
        case_sensitive: bool,
    },
}

/// Part of a wildcard pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Token {
    /// Any run of characters.
    Many,
    /// Any one character.
    One,
    /// A decimal digit.
    Digit,
    /// This character.
    Literal(char),
}

impl Pattern {
    /// A regular expression in the syntax common to Perl and others, without look-around and back-references.
    ///
    /// # Errors
    /// Where it is not one, too long or too large.
    pub fn regex(pattern: &str, case_sensitive: bool) -> Result<Self, String> {
        check_length(pattern)?;
        RegexBuilder::new(pattern)
            .case_insensitive(!case_sensitive)
            .size_limit(MAX_COMPILED)
            .dfa_size_limit(MAX_CACHE)
            .build()
            .map(Pattern::Regex)
            .map_err(|error| match error {
                regex::Error::CompiledTooBig(_) => format!("the regular expression '{pattern}' is too large"),
                error => {
                    let text = error.to_string();
                    let reason = text.lines().rev().find_map(|line| line.strip_prefix("error: ")).unwrap_or(&text);
                    format!("'{pattern}' is not a regular expression that is supported: {reason}")
                }
            })
    }

    /// `*` any run, `?` any one, `#` a digit.
    ///
    /// # Errors
    /// Where it is too long.
    pub fn wildcard(pattern: &str, case_sensitive: bool) -> Result<Self, String> {
        Self::tokens(pattern, case_sensitive, |character| match character {
            '*' => Token::Many,
            '?' => Token::One,
            '#' => Token::Digit,
            other => Token::Literal(other),
        })
    }

    /// `%` any run, `_` any one, as SQL has it; `*` too, as authors write it.
    ///
    /// # Errors
    /// Where it is too long.
    pub fn like(pattern: &str, case_sensitive: bool) -> Result<Self, String> {
        Self::tokens(pattern, case_sensitive, |character| match character {
            '%' | '*' => Token::Many,
            '_' => Token::One,
            other => Token::Literal(other),
        })
    }

    /// A text that is somewhere within.
    ///
    /// # Errors
    /// Where it is too long.
    pub fn substring(text: &str, case_sensitive: bool) -> Result<Self, String> {
        check_length(text)?;
        let text = if case_sensitive { text.to_owned() } else { fold(text) };
        Ok(Pattern::Substring { text, case_sensitive })
    }

    fn tokens(pattern: &str, case_sensitive: bool, token: impl Fn(char) -> Token) -> Result<Self, String> {
        check_length(pattern)?;
        let folded = if case_sensitive { pattern.to_owned() } else { fold(pattern) };
        let mut tokens: Vec<Token> = folded.chars().map(token).collect();
        tokens.dedup_by(|next, before| *next == Token::Many && *before == Token::Many);
        Ok(Pattern::Wildcard { tokens, case_sensitive })
    }

    /// Whether a text matches.
    #[must_use]
    pub fn matches(&self, text: &str) -> bool {
        match self {
            Pattern::Regex(regex) => regex.is_match(text),
            Pattern::Substring { text: wanted, case_sensitive: true } => text.contains(wanted),
            Pattern::Substring { text: wanted, case_sensitive: false } => fold(text).contains(wanted),
            Pattern::Wildcard { tokens, case_sensitive: true } => matches_tokens(tokens, text),
            Pattern::Wildcard { tokens, case_sensitive: false } => matches_tokens(tokens, &fold(text)),
        }
    }
}

impl fmt::Debug for Pattern {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Pattern::Regex(regex) => write!(out, "Regex({:?})", regex.as_str()),
            Pattern::Wildcard { tokens, .. } => write!(out, "Wildcard({tokens:?})"),
            Pattern::Substring { text, .. } => write!(out, "Substring({text:?})"),
        }
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Pattern::Regex(one), Pattern::Regex(other)) => one.as_str() == other.as_str(),
            (
                Pattern::Wildcard { tokens, case_sensitive },
                Pattern::Wildcard { tokens: others, case_sensitive: other },
            ) => tokens == others && case_sensitive == other,
            (
                Pattern::Substring { text, case_sensitive },
                Pattern::Substring { text: others, case_sensitive: other },
            ) => text == others && case_sensitive == other,
            _ => false,
        }
    }
}

fn check_length(pattern: &str) -> Result<(), String> {
    if pattern.len() <= MAX_PATTERN {
        return Ok(());
    }
    Err(format!("the pattern is longer than {MAX_PATTERN} bytes"))
}

fn fold(text: &str) -> String {
    text.chars().flat_map(char::to_lowercase).collect()
}

/// Greedy with one point to go back to: the last `Many`. Earlier ones never need to be tried again.
fn matches_tokens(tokens: &[Token], text: &str) -> bool {
    let mut rest = text.chars();
    let mut at = 0;
    let mut retry: Option<(usize, std::str::Chars<'_>)> = None;
    loop {
        if tokens.get(at) == Some(&Token::Many) {
            at += 1;
            retry = Some((at, rest.clone()));
            continue;
        }
        let Some(character) = rest.next() else {
            return at == tokens.len();
        };
        let fits = match tokens.get(at) {
            Some(Token::One) => true,
            Some(Token::Digit) => character.is_ascii_digit(),
            Some(Token::Literal(literal)) => *literal == character,
            Some(Token::Many) | None => false,
        };
        if fits {
            at += 1;
            continue;
        }
        let Some((after_many, from)) = &mut retry else { return false };
        from.next();
        at = *after_many;
        rest = from.clone();
    }
}
