//! What people read of an alert: mails and messages of chats. Text from alerts is data: it is escaped where it stands in
//! markup.

use serde_json::{Value, json};
use watchkeeper_model::civil::format_time;

use crate::action_group::ChatService;
use crate::common_schema::{MonitorCondition, Notice, severity_word};
use crate::limits;

/// A mail in both forms.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mail {
    pub subject: String,
    pub text: String,
    pub html: String,
}

/// The facts of an alert, in the order in which people need them.
fn facts(notice: &Notice) -> Vec<(&'static str, String)> {
    let mut facts = vec![
        ("Severity", format!("Sev{} ({})", notice.severity, severity_word(notice.severity))),
        ("Condition", notice.condition.word().to_owned()),
        ("Affected", notice.configuration_items.join(", ")),
        ("Alert rule", notice.rule_name.clone()),
        ("Fired", format_time(notice.fired_at)),
    ];
    if notice.resolved_at > 0 {
        facts.push(("Resolved", format_time(notice.resolved_at)));
    }
    for condition in notice.context["condition"]["allOf"].as_array().into_iter().flatten() {
        let dimensions = condition["dimensions"].as_array().into_iter().flatten();
        let dimensions: Vec<String> = dimensions
            .map(|dimension| format!("{} {}", plain(&dimension["name"]), plain(&dimension["value"])))
            .collect();
        if !dimensions.is_empty() {
            facts.push(("Dimensions", dimensions.join(", ")));
        }
        facts.push(("Value", plain(&condition["metricValue"])));
        facts.push(("Threshold", format!("{} {}", plain(&condition["operator"]), plain(&condition["threshold"]))));
    }
    facts.push(("Monitoring service", notice.monitoring_service.clone()));
    facts.extend(notice.custom_properties.iter().map(|(name, value)| ("Property", format!("{name}: {value}"))));
    facts.retain(|(_, value)| !value.trim().is_empty());
    facts
}

fn plain(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// The line that says it all.
#[must_use]
pub fn headline(notice: &Notice) -> String {
    let test = if notice.test { "Test: " } else { "" };
    let affected = match notice.configuration_items.first() {
        Some(item) if !notice.title.contains(item.as_str()) => format!(" on {item}"),
        _ => String::new(),
    };
    format!("{test}{}: Sev{} {}{affected}", notice.condition.word(), notice.severity, notice.title)
}

/// The mail of an alert; never longer than the documented limit.
#[must_use]
pub fn mail(notice: &Notice) -> Mail {
    let facts = facts(notice);
    let mut text = format!("{}\n\n", headline(notice));
    if !notice.description.is_empty() {
        text.push_str(&format!("{}\n\n", notice.description));
    }
    for (name, value) in &facts {
        text.push_str(&format!("{name}: {value}\n"));
    }
    if !notice.link.is_empty() {
        text.push_str(&format!("\n{}\n", notice.link));
    }
    let rows: String = facts
        .iter()
        .map(|(name, value)| {
            format!("<tr><th align=\"left\" valign=\"top\">{name}</th><td>{}</td></tr>", escaped(value))
        })
        .collect();
    let link = match notice.link.is_empty() {
        true => String::new(),
        false => format!("<p><a href=\"{}\">Open the alert</a></p>", escaped(&notice.link)),
    };
    let html = format!(
        "<html><body><h2>{}</h2><p>{}</p><table cellpadding=\"4\">{rows}</table>{link}</body></html>",
        escaped(&headline(notice)),
        escaped(&notice.description)
    );
    Mail {
        subject: cut(&headline(notice).replace(['\r', '\n'], " "), 250),
        text: cut(&text, limits::MOST_MAIL / 2),
        html: if html.len() > limits::MOST_MAIL { String::new() } else { html },
    }
}

/// The message of a chat.
#[must_use]
pub fn chat(service: ChatService, notice: &Notice) -> Value {
    match service {
        ChatService::Teams => teams(notice),
        ChatService::Slack => slack(notice),
    }
}

/// A message with an adaptive card, as the workflows of Teams take it.
fn teams(notice: &Notice) -> Value {
    let color = match (notice.condition, notice.severity) {
        (MonitorCondition::Resolved, _) => "Good",
        (_, 0 | 1) => "Attention",
        (_, 2) => "Warning",
        _ => "Accent",
    };
    let facts: Vec<Value> =
        facts(notice).into_iter().map(|(name, value)| json!({"title": name, "value": cut(&value, 1000)})).collect();
    let mut body = vec![json!({
        "type": "TextBlock", "size": "Large", "weight": "Bolder", "wrap": true, "color": color,
        "text": cut(&headline(notice), 250),
    })];
    if !notice.description.is_empty() {
        body.push(json!({"type": "TextBlock", "wrap": true, "text": cut(&notice.description, 2000)}));
    }
    body.push(json!({"type": "FactSet", "facts": facts}));
    let actions = match notice.link.is_empty() {
        true => json!([]),
        false => json!([{"type": "Action.OpenUrl", "title": "Open the alert", "url": notice.link}]),
    };
    json!({
        "type": "message",
        "attachments": [{
            "contentType": "application/vnd.microsoft.card.adaptive",
            "contentUrl": null,
            "content": {
                "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
                "type": "AdaptiveCard", "version": "1.4", "body": body, "actions": actions,
            },
        }],
    })
}

/// A message of an incoming webhook: a text for notifications, blocks for the channel.
fn slack(notice: &Notice) -> Value {
    let color = match (notice.condition, notice.severity) {
        (MonitorCondition::Resolved, _) => "#2eb67d",
        (_, 0 | 1) => "#e01e5a",
        (_, 2) => "#ecb22e",
        _ => "#36c5f0",
    };
    let fields: Vec<Value> = facts(notice)
        .into_iter()
        .take(10)
        .map(|(name, value)| json!({"type": "mrkdwn", "text": format!("*{name}*\n{}", slack_text(&cut(&value, 1500)))}))
        .collect();
    let mut blocks =
        vec![json!({"type": "header", "text": {"type": "plain_text", "text": cut(&headline(notice), 150)}})];
    if !notice.description.is_empty() {
        let text = slack_text(&cut(&notice.description, 2500));
        blocks.push(json!({"type": "section", "text": {"type": "mrkdwn", "text": text}}));
    }
    blocks.push(json!({"type": "section", "fields": fields}));
    if !notice.link.is_empty() {
        blocks.push(json!({"type": "actions", "elements": [
            {"type": "button", "text": {"type": "plain_text", "text": "Open the alert"}, "url": notice.link},
        ]}));
    }
    json!({"text": slack_text(&headline(notice)), "attachments": [{"color": color, "blocks": blocks}]})
}

/// The three letters that mean something in messages of Slack.
fn slack_text(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

fn escaped(text: &str) -> String {
    slack_text(text).replace('"', "&quot;").replace('\'', "&#39;").replace('\n', "<br>")
}

fn cut(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        None => text.to_owned(),
        Some((at, _)) => format!("{}…", &text[..at]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::common_schema::tests::notice;

    #[test]
    fn text_of_alerts_is_escaped_in_markup() {
        let mail = mail(&notice());
        assert_eq!(mail.subject, "Fired: Sev1 High <load> on web1");
        assert!(mail.html.contains("High &lt;load&gt;") && !mail.html.contains("<load>"), "{}", mail.html);
        assert!(mail.text.contains("Value: 7.5") && mail.text.contains("Alert rule: load"), "{}", mail.text);
        let slack = chat(ChatService::Slack, &notice()).to_string();
        assert!(slack.contains("High &lt;load&gt;"), "{slack}");
    }

    #[test]
    fn a_subject_is_one_line_and_a_mail_has_an_end() {
        let mut notice = notice();
        notice.title = "a\r\nBcc: everybody@example.com".into();
        notice.description = "x".repeat(100_000);
        let mail = mail(&notice);
        assert!(!mail.subject.contains(['\r', '\n']));
        assert!(mail.text.len() + mail.html.len() <= limits::MOST_MAIL, "{}", mail.text.len());
    }

    #[test]
    fn teams_gets_an_adaptive_card_in_a_message() {
        let body = chat(ChatService::Teams, &notice());
        let card = &body["attachments"][0];
        assert_eq!(card["contentType"], "application/vnd.microsoft.card.adaptive");
        assert_eq!(card["content"]["body"][0]["color"], "Attention");
        assert_eq!(card["content"]["actions"][0]["url"], "https://wk/alerts/a1");
    }
}
