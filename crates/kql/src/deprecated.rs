//! Names that the language keeps for old queries (reference, pages of the functions that took their place).

use crate::diagnostics::Span;
use crate::lexer::{Kind, tokenize};

/// Functions, the old name and the one of today.
const FUNCTIONS: &[(&str, &str)] = &[
    ("any", "take_any"),
    ("anyif", "take_anyif"),
    ("argmax", "arg_max"),
    ("argmin", "arg_min"),
    ("array_strcat", "strcat_array"),
    ("makelist", "make_list"),
    ("makeset", "make_set"),
    ("pack", "bag_pack"),
    ("pack_dictionary", "bag_pack"),
    ("parsejson", "parse_json"),
];

const OPERATORS: &[(&str, &str)] = &[("mvapply", "mv-apply"), ("mvexpand", "mv-expand")];

/// An old name in a query.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deprecated {
    pub span: Span,
    pub old: &'static str,
    pub new: &'static str,
}

/// The old names that a query text uses, in their order.
pub fn deprecated(text: &str) -> Vec<Deprecated> {
    let (tokens, _) = tokenize(text);
    let word = |at: usize| tokens.get(at).and_then(|token| text.get(token.start as usize..token.end as usize));
    let mut found = Vec::new();
    for (at, token) in tokens.iter().enumerate().filter(|(_, token)| token.kind == Kind::Word) {
        let follows_pipe = at > 0 && tokens[at - 1].kind == Kind::Pipe;
        let is_called = tokens.get(at + 1).is_some_and(|next| next.kind == Kind::OpenParen);
        let names = if follows_pipe { OPERATORS } else { FUNCTIONS };
        let known = names.iter().find(|(old, _)| word(at) == Some(old));
        if let Some((old, new)) = known.filter(|_| follows_pipe || is_called) {
            found.push(Deprecated { span: token.span(), old, new });
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_names_are_found_where_they_are_meant() {
        let names = |text| deprecated(text).iter().map(|one| (one.old, one.new)).collect::<Vec<_>>();
        assert_eq!(names("T | summarize makeset(x), any(y) by k"), [("makeset", "make_set"), ("any", "take_any")]);
        assert_eq!(names("T | mvexpand x"), [("mvexpand", "mv-expand")]);
        assert_eq!(names("T | project any, pack = 'makelist(x)' // argmax(x)"), []);
        assert_eq!(names("T | where x has 'mvexpand' | mv-expand x"), []);
        let span = deprecated("T | summarize makeset(x)")[0].span;
        assert_eq!((span.start, span.end), (14, 21));
    }
}
