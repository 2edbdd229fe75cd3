//! From text to expression, by precedence climbing over a position in the text.

use super::{Axis, Expr, Function, MAX_DEPTH, MAX_LENGTH, Operator, Path, Step, Test, XPathError};

pub(super) fn parse(text: &str) -> Result<Expr, XPathError> {
    let mut parser = Parser { text, at: 0, depth: 0 };
    if text.len() > MAX_LENGTH {
        return parser.fail(format!("the query is longer than {MAX_LENGTH} bytes"));
    }
    parser.space();
    if parser.rest().is_empty() {
        parser.at = 0;
        return parser.fail("the query is empty");
    }
    let expression = parser.binary(0)?;
    match parser.rest().chars().next() {
        None => Ok(expression),
        Some(unexpected) => parser.fail(format!("unexpected '{unexpected}'")),
    }
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
    depth: usize,
}

type Parsed<T> = Result<T, XPathError>;

/// Longer operators before those that start them.
const OPERATORS: [(&str, Operator, u8); 14] = [
    ("or", Operator::Or, 1),
    ("and", Operator::And, 2),
    ("!=", Operator::NotEqual, 3),
    ("=", Operator::Equal, 3),
    ("<=", Operator::LessEqual, 4),
    (">=", Operator::GreaterEqual, 4),
    ("<", Operator::Less, 4),
    (">", Operator::Greater, 4),
    ("+", Operator::Add, 5),
    ("-", Operator::Subtract, 5),
    ("*", Operator::Multiply, 6),
    ("div", Operator::Divide, 6),
    ("mod", Operator::Modulo, 6),
    ("|", Operator::Union, 8),
];

impl<'a> Parser<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn space(&mut self) {
        self.at = self.text.len() - self.rest().trim_start().len();
    }

    fn fail<T>(&self, problem: impl Into<String>) -> Parsed<T> {
        let query = match self.text.char_indices().nth(80) {
            Some((end, _)) => format!("{}…", &self.text[..end]),
            None => self.text.to_owned(),
        };
        let position = self.text[..self.at].chars().count() + 1;
        Err(XPathError { query, problem: problem.into(), position })
    }

    /// Takes a symbol and the space after it.
    fn take(&mut self, symbol: &str) -> bool {
        let taken = self.rest().starts_with(symbol);
        if taken {
            self.at += symbol.len();
            self.space();
        }
        taken
    }

    fn expect(&mut self, symbol: &str) -> Parsed<()> {
        if self.take(symbol) { Ok(()) } else { self.fail(format!("expected '{symbol}'")) }
    }

    fn deeper<T>(&mut self, inner: impl FnOnce(&mut Self) -> Parsed<T>) -> Parsed<T> {
        if self.depth >= MAX_DEPTH {
            return self.fail(format!("the query is nested deeper than {MAX_DEPTH}"));
        }
        self.depth += 1;
        let result = inner(self);
        self.depth -= 1;
        result
    }

    fn operator(&self) -> Option<(usize, Operator, u8)> {
        let rest = self.rest();
        let (symbol, operator, binding) = OPERATORS.iter().find(|(symbol, ..)| rest.starts_with(symbol))?;
        let is_word = symbol.starts_with(|first: char| first.is_ascii_alphabetic());
        if is_word && rest[symbol.len()..].starts_with(is_name_char) {
            return None;
        }
        Some((symbol.len(), *operator, *binding))
    }

    fn binary(&mut self, least: u8) -> Parsed<Expr> {
        let mut left = self.deeper(Self::unary)?;
        while let Some((length, operator, binding)) = self.operator() {
            if binding <= least {
                break;
            }
            self.at += length;
            self.space();
            let right = self.deeper(|parser| parser.binary(binding))?;
            left = Expr::Binary(operator, Box::new(left), Box::new(right));
        }
        Ok(left)
    }

    fn unary(&mut self) -> Parsed<Expr> {
        if self.take("-") {
            return Ok(Expr::Negate(Box::new(self.deeper(|parser| parser.binary(7))?)));
        }
        self.primary()
    }

    fn primary(&mut self) -> Parsed<Expr> {
        let rest = self.rest();
        let first = rest.chars().next();
        let second = rest.chars().nth(1);
        match first {
            Some('(') => {
                self.take("(");
                let inner = self.binary(0)?;
                self.expect(")")?;
                Ok(inner)
            }
            Some(quote @ ('\'' | '"')) => match rest[1..].find(quote) {
                Some(end) => {
                    let text = rest[1..=end].to_owned();
                    self.at += end + 2;
                    self.space();
                    Ok(Expr::Text(text))
                }
                None => self.fail("the text in quotes does not end"),
            },
            Some(digit) if digit.is_ascii_digit() || (digit == '.' && second.is_some_and(|c| c.is_ascii_digit())) => {
                let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
                let Ok(number) = rest[..end].parse() else {
                    return self.fail(format!("'{}' is not a number", &rest[..end]));
                };
                self.at += end;
                self.space();
                Ok(Expr::Number(number))
            }
            Some(letter) if is_name_start(letter) => {
                let name = self.peek_name();
                let after = rest[name.len()..].trim_start();
                if after.starts_with('(') && !matches!(name, "text" | "node") {
                    return self.call(name);
                }
                self.path().map(Expr::Path)
            }
            Some('/' | '.' | '@' | '*') => self.path().map(Expr::Path),
            Some(other) => self.fail(format!("unexpected '{other}'")),
            None => self.fail("expected a value"),
        }
    }

    fn call(&mut self, name: &str) -> Parsed<Expr> {
        let Some((_, function, least, most)) = FUNCTIONS.iter().find(|(known, ..)| *known == name) else {
            return self.fail(format!("the function '{name}' is not supported"));
        };
        let start = self.at;
        self.at += name.len();
        self.space();
        self.expect("(")?;
        let mut arguments = Vec::new();
        if !self.take(")") {
            loop {
                arguments.push(self.binary(0)?);
                if self.take(")") {
                    break;
                }
                self.expect(",")?;
            }
        }
        if (*least..=*most).contains(&arguments.len()) {
            return Ok(Expr::Call(*function, arguments));
        }
        self.at = start;
        let wanted = if least == most { least.to_string() } else { format!("{least} to {most}") };
        self.fail(format!("'{name}' takes {wanted} arguments, not {}", arguments.len()))
    }

    fn path(&mut self) -> Parsed<Path> {
        let mut steps = Vec::new();
        let absolute = self.rest().starts_with('/');
        if absolute && !self.rest().starts_with("//") {
            self.take("/");
            if !self.rest().starts_with(|c: char| is_name_start(c) || matches!(c, '.' | '@' | '*')) {
                return Ok(Path { absolute, steps });
            }
            steps.push(self.step()?);
        } else if !absolute {
            steps.push(self.step()?);
        }
        loop {
            if self.take("//") {
                steps.push(Step { axis: Axis::DescendantOrSelf, test: Test::Node, predicates: Vec::new() });
            } else if !self.take("/") {
                return Ok(Path { absolute, steps });
            }
            steps.push(self.step()?);
        }
    }

    fn step(&mut self) -> Parsed<Step> {
        if self.rest().starts_with("..") {
            return self.fail("the parent axis is not supported");
        }
        if self.take(".") {
            let predicates = self.predicates()?;
            return Ok(Step { axis: Axis::Itself, test: Test::Node, predicates });
        }
        let mut axis = if self.take("@") { Axis::Attribute } else { Axis::Child };
        let name = self.peek_name();
        if self.rest()[name.len()..].starts_with("::") {
            axis = match name {
                "child" => Axis::Child,
                "attribute" => Axis::Attribute,
                "self" => Axis::Itself,
                "descendant" => Axis::Descendant,
                "descendant-or-self" => Axis::DescendantOrSelf,
                _ => return self.fail(format!("the axis '{name}' is not supported")),
            };
            self.at += name.len() + 2;
            self.space();
        }
        let test = self.test()?;
        let predicates = self.predicates()?;
        Ok(Step { axis, test, predicates })
    }

    fn test(&mut self) -> Parsed<Test> {
        if self.take("*") {
            return Ok(Test::Any);
        }
        let mut name = self.peek_name();
        if name.is_empty() {
            return self.fail("expected a name");
        }
        let start = self.at;
        self.at += name.len();
        if self.rest().starts_with(':') && !self.rest().starts_with("::") {
            self.at += 1;
            if self.take("*") {
                return Ok(Test::Any);
            }
            name = self.peek_name();
            if name.is_empty() {
                return self.fail("expected a name");
            }
            self.at += name.len();
        }
        self.space();
        if !self.take("(") {
            return Ok(Test::Name(name.to_owned()));
        }
        let test = match name {
            "text" => Test::Text,
            "node" => Test::Node,
            _ => {
                self.at = start;
                return self.fail(format!("'{name}(' cannot stand in a path"));
            }
        };
        self.expect(")")?;
        Ok(test)
    }

    fn predicates(&mut self) -> Parsed<Vec<Expr>> {
        let mut predicates = Vec::new();
        while self.take("[") {
            predicates.push(self.binary(0)?);
            self.expect("]")?;
        }
        Ok(predicates)
    }

    fn peek_name(&self) -> &'a str {
        let rest = self.rest();
        if !rest.starts_with(is_name_start) {
            return "";
        }
        let end = rest.find(|c: char| !is_name_char(c)).unwrap_or(rest.len());
        &rest[..end]
    }
}

const FUNCTIONS: [(&str, Function, usize, usize); 24] = [
    ("local-name", Function::LocalName, 0, 1),
    ("name", Function::LocalName, 0, 1),
    ("position", Function::Position, 0, 0),
    ("last", Function::Last, 0, 0),
    ("count", Function::Count, 1, 1),
    ("contains", Function::Contains, 2, 2),
    ("starts-with", Function::StartsWith, 2, 2),
    ("normalize-space", Function::NormalizeSpace, 0, 1),
    ("string-length", Function::StringLength, 0, 1),
    ("substring-before", Function::SubstringBefore, 2, 2),
    ("substring-after", Function::SubstringAfter, 2, 2),
    ("substring", Function::Substring, 2, 3),
    ("translate", Function::Translate, 3, 3),
    ("concat", Function::Concat, 2, 32),
    ("string", Function::Text, 0, 1),
    ("number", Function::Number, 0, 1),
    ("boolean", Function::Boolean, 1, 1),
    ("not", Function::Not, 1, 1),
    ("true", Function::True, 0, 0),
    ("false", Function::False, 0, 0),
    ("sum", Function::Sum, 1, 1),
    ("floor", Function::Floor, 1, 1),
    ("ceiling", Function::Ceiling, 1, 1),
    ("round", Function::Round, 1, 1),
];

fn is_name_start(c: char) -> bool {
    c.is_alphabetic() || c == '_'
}

fn is_name_char(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '-' | '.')
}
