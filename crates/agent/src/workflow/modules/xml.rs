//! A small reader of XML, for what scripts and methods give: elements, attributes, text, the five entities and
//! characters by number. No document types, so no entities of its own.

use watchkeeper_model::node::Node;

/// The deepest nesting.
const MAX_DEPTH: usize = 64;
/// The most elements.
const MAX_ELEMENTS: usize = 200_000;

/// Reads one element, or several one after the other.
///
/// # Errors
/// With the byte at which it is not XML of this kind.
pub fn read(text: &str) -> Result<Vec<Node>, String> {
    let mut reader = Reader { text, at: 0, elements: 0 };
    let mut nodes = Vec::new();
    loop {
        reader.skip_misc()?;
        if reader.at >= text.len() {
            return Ok(nodes);
        }
        nodes.push(reader.element(0)?);
    }
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
    elements: usize,
}

impl<'a> Reader<'a> {
    fn wrong<T>(&self, what: &str) -> Result<T, String> {
        Err(format!("not XML: {what} at byte {}", self.at))
    }

    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn skip(&mut self, what: &str) -> bool {
        let found = self.rest().starts_with(what);
        if found {
            self.at += what.len();
        }
        found
    }

    fn skip_past(&mut self, end: &str) -> Result<&'a str, String> {
        let Some(length) = self.rest().find(end) else { return self.wrong(&format!("no {end}")) };
        let passed = &self.rest()[..length];
        self.at += length + end.len();
        Ok(passed)
    }

    fn skip_space(&mut self) {
        self.at += self.rest().len() - self.rest().trim_start().len();
    }

    /// Space, comments, processing instructions.
    fn skip_misc(&mut self) -> Result<(), String> {
        loop {
            self.skip_space();
            if self.skip("<!--") {
                self.skip_past("-->")?;
            } else if self.skip("<?") {
                self.skip_past("?>")?;
            } else if self.rest().starts_with("<!DOCTYPE") {
                return self.wrong("a document type, which is not read,");
            } else {
                return Ok(());
            }
        }
    }

    fn name(&mut self) -> Result<String, String> {
        let is_name = |character: char| character.is_alphanumeric() || "_-.:".contains(character);
        let length = self.rest().find(|character| !is_name(character)).unwrap_or(self.rest().len());
        if length == 0 {
            return self.wrong("no name");
        }
        let name = &self.rest()[..length];
        self.at += length;
        Ok(name.rsplit(':').next().unwrap_or(name).to_owned())
    }

    fn element(&mut self, depth: usize) -> Result<Node, String> {
        self.elements += 1;
        if depth > MAX_DEPTH || self.elements > MAX_ELEMENTS {
            return self.wrong("too much of it");
        }
        if !self.skip("<") {
            return self.wrong("no element");
        }
        let mut node = Node::new(self.name()?);
        loop {
            self.skip_space();
            if self.skip("/>") {
                return Ok(node);
            }
            if self.skip(">") {
                break;
            }
            let name = self.name()?;
            self.skip_space();
            if !self.skip("=") {
                return self.wrong("an attribute without value");
            }
            self.skip_space();
            let quote = if self.skip("\"") {
                "\""
            } else if self.skip("'") {
                "'"
            } else {
                return self.wrong("a value without quotes");
            };
            let value = self.skip_past(quote)?;
            node.attributes.push((name, unescape(value)));
        }
        let mut text = String::new();
        loop {
            if self.skip("<![CDATA[") {
                text.push_str(self.skip_past("]]>")?);
            } else if self.skip("<!--") {
                self.skip_past("-->")?;
            } else if self.skip("</") {
                let name = self.name()?;
                self.skip_space();
                if name != node.name || !self.skip(">") {
                    return self.wrong(&format!("the end of {} is missing", node.name));
                }
                if node.children.is_empty() {
                    node.text = text;
                }
                return Ok(node);
            } else if self.rest().starts_with('<') {
                node.children.push(self.element(depth + 1)?);
            } else {
                let length = self.rest().find('<').unwrap_or(self.rest().len());
                if length == 0 {
                    return self.wrong(&format!("the end of {} is missing", node.name));
                }
                text.push_str(&unescape(&self.rest()[..length]));
                self.at += length;
            }
        }
    }
}

fn unescape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find('&') {
        out.push_str(&rest[..start]);
        rest = &rest[start..];
        let character = rest.find(';').and_then(|end| {
            let character = match &rest[1..end] {
                "lt" => '<',
                "gt" => '>',
                "amp" => '&',
                "quot" => '"',
                "apos" => '\'',
                number => {
                    let number = number.strip_prefix('#')?;
                    let code = match number.strip_prefix('x') {
                        Some(hexadecimal) => u32::from_str_radix(hexadecimal, 16).ok()?,
                        None => number.parse().ok()?,
                    };
                    char::from_u32(code)?
                }
            };
            Some((character, end + 1))
        });
        match character {
            Some((character, length)) => {
                out.push(character);
                rest = &rest[length..];
            }
            None => {
                out.push('&');
                rest = &rest[1..];
            }
        }
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workflow::modules::text::xml;

    #[test]
    fn what_is_written_reads_back() {
        let text = "<?xml version=\"1.0\"?>\n<!-- c --><p:a x='1' p:y=\"&lt;\"><b>1 &amp; &#65;&#x42;</b><c/><d><![CDATA[<&]]></d></p:a>";
        let nodes = read(text).unwrap();
        assert_eq!(xml(&nodes[0]), "<a x=\"1\" y=\"&lt;\"><b>1 &amp; AB</b><c/><d>&lt;&amp;</d></a>");
        assert_eq!(read(&xml(&nodes[0])).unwrap(), nodes);
        assert_eq!(read("<a/><b/>").unwrap().len(), 2);
    }

    #[test]
    fn what_is_not_xml_is_an_error_and_never_a_panic() {
        for text in
            ["x", "<", "<a", "<a>", "<a></b>", "<a b>", "<a b=c/>", "<!DOCTYPE a><a/>", "<a>&", "<é", "<a>\u{1F600}"]
        {
            assert!(read(text).is_err(), "{text}");
        }
        assert!(read(&"<a>".repeat(100_000)).is_err());
    }
}
