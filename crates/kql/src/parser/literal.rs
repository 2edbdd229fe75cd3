//! Literals, and the expressions that begin with a word of their own (`datatable`, `typeof`, `toscalar`, …).

use super::Parser;
use crate::diagnostics::{Code, Diagnostic};
use crate::lexer::{Kind, Token, timespan_unit};
use crate::syntax::{
    Expr, ExprKind, InlineExternalTable, Json, Literal, Parameter, ParameterType, Property, StringLiteral, TypeOf,
};
use crate::types::Type;

impl Parser<'_> {
    pub(super) fn literal(&mut self) -> Literal {
        match self.kind() {
            Kind::String => Literal::String(self.string()),
            Kind::Long => {
                let token = self.bump();
                Literal::Long(self.long(token, false))
            }
            Kind::Real => {
                let token = self.bump();
                Literal::Real(self.real(token))
            }
            Kind::Timespan => {
                let token = self.bump();
                Literal::Timespan(self.timespan(token))
            }
            _ => {
                let token = self.bump();
                let (ty, text) = self.typed(token);
                Literal::Typed { ty, text }
            }
        }
    }

    fn long(&mut self, token: Token, negative: bool) -> i64 {
        let text = self.token_text(token);
        let value = match text.get(..2) {
            Some("0x" | "0X") => u64::from_str_radix(&text[2..], 16).ok().map(u64::cast_signed),
            _ if negative => format!("-{text}").parse().ok(),
            _ => text.parse().ok(),
        };
        value.unwrap_or_else(|| {
            self.literal_error(
                token,
                format!("`{text}` is larger than a long can hold"),
                "write it as `real(…)` or `decimal(…)`",
            );
            0
        })
    }

    fn real(&mut self, token: Token) -> f64 {
        let value: f64 = self.token_text(token).parse().unwrap_or(f64::NAN);
        if !value.is_finite() {
            let message = format!("`{}` is larger than a real can hold", self.token_text(token));
            self.literal_error(token, message, "write it as `decimal(…)`");
            return 0.0;
        }
        value
    }

    fn timespan(&mut self, token: Token) -> i64 {
        let text = self.token_text(token);
        let split = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
        let unit = timespan_unit(&text[split..]).unwrap_or(1.0);
        let exact = match text[..split].parse::<i64>() {
            Ok(count) if unit >= 1.0 => count.checked_mul(unit as i64),
            _ => None,
        };
        if let Some(ticks) = exact {
            return ticks;
        }
        let ticks = text[..split].parse().unwrap_or(f64::NAN) * unit;
        if !ticks.is_finite() || ticks.abs() >= i64::MAX as f64 {
            self.literal_error(
                token,
                format!("`{text}` is longer than a timespan can be"),
                "a timespan is at most about 10675199 days",
            );
            return 0;
        }
        ticks.round() as i64
    }

    fn literal_error(&mut self, token: Token, message: String, help: &str) {
        let help = Some(help.to_owned());
        self.diagnostics.push(Diagnostic { code: Code::Syntax, span: token.span(), message, help });
    }

    fn typed(&self, token: Token) -> (Type, String) {
        let (name, text) = self.token_text(token).split_once('(').unwrap_or((self.token_text(token), ""));
        let ty = Type::from_name(name.trim_end()).unwrap_or(Type::Dynamic);
        (ty, text.strip_suffix(')').unwrap_or(text).trim().to_owned())
    }

    /// One or more string literals behind each other.
    pub(super) fn string(&mut self) -> StringLiteral {
        let mut literal = StringLiteral::default();
        while self.is(Kind::String) {
            let token = self.bump();
            let text = self.token_text(token);
            literal.hidden |= text.starts_with(['h', 'H']);
            decode(text, &mut literal.value);
        }
        literal
    }

    fn json(&mut self) -> Json {
        self.deeper(|_| Json::Null, Self::json_here)
    }

    fn json_here(&mut self) -> Json {
        match self.kind() {
            Kind::String => Json::String(self.string().value),
            Kind::OpenBracket => {
                self.bump();
                let items = self.list_until(Kind::CloseBracket, true, Self::json);
                self.close(Kind::CloseBracket, "`,` or `]`");
                Json::Array(items)
            }
            Kind::OpenBrace => {
                self.bump();
                let members = self.list_until(Kind::CloseBrace, true, Self::json_member);
                self.close(Kind::CloseBrace, "`,` or `}`");
                Json::Object(members)
            }
            Kind::Minus | Kind::Plus | Kind::Long | Kind::Real | Kind::Timespan => self.json_number(),
            Kind::Typed => {
                let token = self.bump();
                let (ty, text) = self.typed(token);
                Json::Typed { ty, text }
            }
            Kind::Word => match self.current() {
                "null" => {
                    self.bump();
                    Json::Null
                }
                "dynamic" if self.peek_kind(1) == Kind::OpenParen => {
                    self.bump();
                    self.dynamic_value()
                }
                word => match boolean(word) {
                    Some(value) => {
                        self.bump();
                        Json::Bool(value)
                    }
                    None => self.json_mistake(),
                },
            },
            _ => self.json_mistake(),
        }
    }

    fn json_mistake(&mut self) -> Json {
        let help = self.is(Kind::Word).then(|| format!("quote a text: `\"{}\"`", self.current()));
        self.expected_with("a JSON value", help);
        Json::Null
    }

    fn json_member(&mut self) -> (String, Json) {
        let name = match self.kind() {
            Kind::String => self.string().value,
            Kind::Word => self.name("a name").text,
            _ => {
                self.expected("a quoted name");
                String::new()
            }
        };
        self.expect(Kind::Colon, "`:` and a value");
        (name, self.json())
    }

    fn json_number(&mut self) -> Json {
        let negative = self.is(Kind::Minus);
        if negative || self.is(Kind::Plus) {
            self.bump();
        }
        let token = self.token();
        match token.kind {
            Kind::Long => {
                self.bump();
                Json::Long(self.long(token, negative))
            }
            Kind::Real => {
                self.bump();
                let value = self.real(token);
                Json::Real(if negative { -value } else { value })
            }
            Kind::Timespan => {
                self.bump();
                let value = self.timespan(token);
                Json::Timespan(if negative { -value } else { value })
            }
            _ => {
                self.expected("a number");
                Json::Null
            }
        }
    }

    fn dynamic_value(&mut self) -> Json {
        self.expect(Kind::OpenParen, "`(`");
        let value = if self.is(Kind::CloseParen) { Json::Null } else { self.json() };
        self.close(Kind::CloseParen, "`)` after the value");
        value
    }

    /// Expressions that begin with a word of the language; none where the word is an ordinary name here.
    pub(super) fn special_expr(&mut self) -> Option<Expr> {
        let start = self.start();
        let word = self.current();
        if let Some(value) = boolean(word) {
            self.bump();
            return Some(ExprKind::Literal(Literal::Bool(value)).at(self.span_from(start)));
        }
        let next = self.peek_kind(1);
        let kind = match word {
            "dynamic" if next == Kind::OpenParen => {
                self.bump();
                ExprKind::Literal(Literal::Dynamic(self.dynamic_value()))
            }
            "typeof" if next == Kind::OpenParen => ExprKind::TypeOf(self.type_of()),
            "toscalar" | "totable" if next == Kind::OpenParen || self.peek_is_word(1, "kind") => {
                self.bump();
                if self.eat_word("kind") {
                    self.expect(Kind::Assign, "`=`");
                    self.name("`nooptimization`");
                }
                self.expect(Kind::OpenParen, "`(`");
                let inner = Box::new(self.expression());
                self.close(Kind::CloseParen, "`)`");
                if word == "toscalar" { ExprKind::ToScalar(inner) } else { ExprKind::ToTable(inner) }
            }
            "datatable" if next == Kind::OpenParen || next == Kind::Word => self.datatable(),
            "externaldata" | "external_data" if next == Kind::OpenParen || next == Kind::Word => self.external_data(),
            "inline_external_table" if next == Kind::OpenParen => self.inline_external_table(),
            "entity_group" if next == Kind::OpenBracket => {
                self.bump();
                self.bump();
                let entities = self.list_until(Kind::CloseBracket, false, Self::expr);
                self.close(Kind::CloseBracket, "`,` or `]`");
                ExprKind::EntityGroup(entities)
            }
            _ => return None,
        };
        Some(kind.at(self.span_from(start)))
    }

    fn type_of(&mut self) -> TypeOf {
        self.bump();
        let scalar = self.peek_kind(1) == Kind::Word && self.peek_kind(2) == Kind::CloseParen;
        if !scalar {
            return TypeOf::Table(self.table_schema());
        }
        self.bump();
        let ty = self.type_name();
        self.close(Kind::CloseParen, "`)`");
        TypeOf::Scalar(ty)
    }

    fn datatable(&mut self) -> ExprKind {
        self.bump();
        let properties = self.parameters(true, &[]);
        let schema = self.table_schema();
        let mut values = Vec::new();
        if self.expect(Kind::OpenBracket, "`[` and the values") {
            values = self.list_until(Kind::CloseBracket, true, Self::expr);
            self.close(Kind::CloseBracket, "`,` or `]` in the list of values");
        }
        ExprKind::Datatable { schema, properties, values }
    }

    fn external_data(&mut self) -> ExprKind {
        self.bump();
        let parameters = self.parameters(true, &[]);
        let schema = self.table_schema();
        let mut uris = Vec::new();
        if self.expect(Kind::OpenBracket, "`[` and the addresses") {
            uris = self.list_until(Kind::CloseBracket, true, Self::expr);
            self.close(Kind::CloseBracket, "`,` or `]` in the list of addresses");
        }
        ExprKind::ExternalData { schema, parameters, uris, properties: self.with_properties() }
    }

    /// `with (name = value, …)`, if it is there.
    pub(super) fn with_properties(&mut self) -> Vec<Property> {
        if !self.is_word("with") || self.peek_kind(1) != Kind::OpenParen {
            return Vec::new();
        }
        self.bump();
        self.bump();
        let properties = self.list_until(Kind::CloseParen, true, |parser| {
            let name = parser.name("the name of a property");
            parser.expect(Kind::Assign, "`=`");
            Property { name, value: parser.expr() }
        });
        self.close(Kind::CloseParen, "`,` or `)`");
        properties
    }

    fn inline_external_table(&mut self) -> ExprKind {
        self.bump();
        let mut table = InlineExternalTable {
            schema: self.table_schema(),
            parameters: Vec::new(),
            partitions: Vec::new(),
            path_format: Vec::new(),
            uris: Vec::new(),
            properties: Vec::new(),
        };
        while self.is(Kind::Word) {
            if self.eat_word("partition") {
                self.expect_word("by");
                self.expect(Kind::OpenParen, "`(`");
                table.partitions = self.list_until(Kind::CloseParen, false, Self::partition_column);
                self.close(Kind::CloseParen, "`,` or `)`");
            } else if self.is_word("pathformat") {
                self.bump();
                self.expect(Kind::Assign, "`=`");
                self.expect(Kind::OpenParen, "`(`");
                while !matches!(self.kind(), Kind::CloseParen | Kind::End) {
                    let before = self.at;
                    table.path_format.push(self.postfix());
                    if self.at == before {
                        break;
                    }
                }
                self.close(Kind::CloseParen, "`)`");
            } else if self.peek_kind(1) == Kind::Assign {
                let name = self.name("the name of a property");
                self.bump();
                table.parameters.push(Property { name, value: self.parameter_value() });
            } else {
                break;
            }
        }
        self.expect(Kind::OpenParen, "`(` and the addresses");
        table.uris = self.list_until(Kind::CloseParen, true, Self::expr);
        self.close(Kind::CloseParen, "`,` or `)`");
        table.properties = self.with_properties();
        ExprKind::InlineExternalTable(Box::new(table))
    }

    /// `name:type` or `name:type = expression`.
    fn partition_column(&mut self) -> Parameter {
        let parameter = self.parameter();
        if !matches!(parameter.ty, ParameterType::Scalar(_)) {
            self.expected("a partition column of a scalar type");
        }
        parameter
    }
}

fn boolean(word: &str) -> Option<bool> {
    match word {
        "true" | "True" | "TRUE" => Some(true),
        "false" | "False" | "FALSE" => Some(false),
        _ => None,
    }
}

/// Appends the text that one string literal means.
fn decode(literal: &str, into: &mut String) {
    let literal = literal.strip_prefix(['h', 'H']).unwrap_or(literal);
    for fence in ["```", "~~~"] {
        if let Some(text) = literal.strip_prefix(fence) {
            into.push_str(text.strip_suffix(fence).unwrap_or(text));
            return;
        }
    }
    let (text, verbatim) = match literal.strip_prefix('@') {
        Some(text) => (text, true),
        None => (literal, false),
    };
    let quote = text.chars().next().unwrap_or('"');
    let text = text.strip_prefix(quote).unwrap_or(text);
    let text = text.strip_suffix(quote).unwrap_or(text);
    if verbatim {
        let doubled: String = [quote, quote].iter().collect();
        into.push_str(&text.replace(&doubled, quote.encode_utf8(&mut [0; 4])));
        return;
    }
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        into.push_str(&rest[..at]);
        rest = unescape(&rest[at + 1..], into);
    }
    into.push_str(rest);
}

/// Appends what the escape sequence means whose backslash was just read, and gives what follows it.
fn unescape<'t>(rest: &'t str, into: &mut String) -> &'t str {
    let Some(first) = rest.chars().next() else {
        return rest;
    };
    let after = &rest[first.len_utf8()..];
    let digits = match first {
        'u' => Some((4, 16)),
        'U' => Some((8, 16)),
        'x' => Some((2, 16)),
        _ => None,
    };
    if let Some((length, radix)) = digits {
        let value = after.get(..length).and_then(|digits| u32::from_str_radix(digits, radix).ok());
        return match value {
            Some(high @ 0xD800..=0xDBFF) => surrogate_pair(high, &after[length..], into),
            Some(value) => {
                into.push(char::from_u32(value).unwrap_or(char::REPLACEMENT_CHARACTER));
                &after[length..]
            }
            None => {
                into.push(first);
                after
            }
        };
    }
    if first.is_digit(8) {
        let most = if first <= '3' { 3 } else { 2 };
        let length = rest.bytes().take(most).take_while(|b| (b'0'..=b'7').contains(b)).count();
        let value = u32::from_str_radix(&rest[..length], 8).unwrap_or(0);
        into.push(char::from_u32(value).unwrap_or(char::REPLACEMENT_CHARACTER));
        return &rest[length..];
    }
    into.push(match first {
        'a' => '\u{7}',
        'b' => '\u{8}',
        'f' => '\u{c}',
        'n' => '\n',
        'r' => '\r',
        't' => '\t',
        'v' => '\u{b}',
        other => other,
    });
    after
}

/// `\ud83d\ude00` is one character.
fn surrogate_pair<'t>(high: u32, after: &'t str, into: &mut String) -> &'t str {
    let low = after
        .strip_prefix("\\u")
        .and_then(|digits| digits.get(..4))
        .and_then(|digits| u32::from_str_radix(digits, 16).ok())
        .filter(|low| (0xDC00..=0xDFFF).contains(low));
    let Some(low) = low else {
        into.push(char::REPLACEMENT_CHARACTER);
        return after;
    };
    let value = 0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00);
    into.push(char::from_u32(value).unwrap_or(char::REPLACEMENT_CHARACTER));
    &after[6..]
}
