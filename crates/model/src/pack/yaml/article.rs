//! Knowledge in Markdown: headings, paragraphs, lists, code and bold; it becomes the HTML that packs carry.

/// HTML of a text.
pub fn to_html(text: &str) -> String {
    let mut html = String::new();
    let mut paragraph: Vec<&str> = Vec::new();
    let mut items: Vec<String> = Vec::new();
    let mut code: Option<Vec<&str>> = None;
    for line in text.lines().chain([""]) {
        if let Some(lines) = &mut code {
            if line.trim() == "```" {
                html.push_str(&format!("<pre>{}</pre>\n", escape(&lines.join("\n"))));
                code = None;
            } else {
                lines.push(line);
            }
            continue;
        }
        let trimmed = line.trim();
        let item = trimmed.strip_prefix("- ").or_else(|| trimmed.strip_prefix("* "));
        let heading = trimmed.trim_start_matches('#');
        let level = trimmed.len() - heading.len();
        let is_heading = (1..=4).contains(&level) && heading.starts_with(' ');
        let fence = trimmed.starts_with("```");
        if trimmed.is_empty() || item.is_some() || is_heading || fence {
            flush(&mut paragraph, &mut html);
        }
        match item {
            Some(item) => items.push(item.to_owned()),
            // an indented line goes on with the item before it
            None if line.starts_with(' ') && !trimmed.is_empty() && !items.is_empty() => {
                if let Some(last) = items.last_mut() {
                    last.push(' ');
                    last.push_str(trimmed);
                }
            }
            None => {
                flush_items(&mut items, &mut html);
                if is_heading {
                    html.push_str(&format!("<h{level}>{}</h{level}>\n", inline(heading.trim())));
                } else if fence {
                    code = Some(Vec::new());
                } else if !trimmed.is_empty() {
                    paragraph.push(trimmed);
                }
            }
        }
    }
    if let Some(lines) = code {
        html.push_str(&format!("<pre>{}</pre>\n", escape(&lines.join("\n"))));
    }
    html
}

fn flush(paragraph: &mut Vec<&str>, html: &mut String) {
    if !paragraph.is_empty() {
        html.push_str(&format!("<p>{}</p>\n", inline(&paragraph.join(" "))));
        paragraph.clear();
    }
}

fn flush_items(items: &mut Vec<String>, html: &mut String) {
    if !items.is_empty() {
        html.push_str("<ul>");
        for item in items.drain(..) {
            html.push_str(&format!("<li>{}</li>", inline(&item)));
        }
        html.push_str("</ul>\n");
    }
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// Code between backticks, bold between pairs of asterisks.
fn inline(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(['`', '*']) {
        let (before, after) = rest.split_at(at);
        out.push_str(&escape(before));
        let (mark, tag) = if after.starts_with('`') { ("`", "code") } else { ("**", "b") };
        let inner = after.strip_prefix(mark).and_then(|after| after.split_once(mark));
        match inner {
            Some((inner, after)) if !inner.is_empty() => {
                out.push_str(&format!("<{tag}>{}</{tag}>", escape(inner)));
                rest = after;
            }
            _ => {
                out.push_str(&after[..1]);
                rest = &after[1..];
            }
        }
    }
    out + &escape(rest)
}

/// The Markdown that becomes just this HTML, where there is some.
pub fn to_markdown(html: &str) -> Option<String> {
    let mut text = html.to_owned();
    for level in 1..=4_usize {
        text = text
            .replace(&format!("<h{level}>"), &format!("{} ", "#".repeat(level)))
            .replace(&format!("</h{level}>"), "");
    }
    for (from, to) in [
        ("<p>", ""),
        ("</p>\n", "\n\n"),
        ("<ul><li>", "- "),
        ("</li><li>", "\n- "),
        ("</li></ul>\n", "\n\n"),
        ("<pre>", "```\n"),
        ("</pre>", "\n```"),
        ("<code>", "`"),
        ("</code>", "`"),
        ("<b>", "**"),
        ("</b>", "**"),
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&amp;", "&"),
    ] {
        text = text.replace(from, to);
    }
    let text = format!("{}\n", text.trim_end());
    (to_html(&text) == html).then_some(text)
}
