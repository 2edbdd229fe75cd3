//! Mail, over SMTP with STARTTLS or TLS.

use std::time::Duration;

use anyhow::bail;
use lettre::message::header::{HeaderName, HeaderValue};
use lettre::message::{Mailbox, MultiPart};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, CertificateStore, Tls, TlsParameters};
use lettre::{Message, SmtpTransport, Transport};
use watchkeeper_alerting::message::Mail;
use watchkeeper_alerting::retry::Answer;

use super::Alerting;
use crate::config::MailConfig;

const TIMEOUT: Duration = Duration::from_secs(30);

/// Whether the settings can be used; what cannot is said at the start, not in the night.
pub fn check(config: &MailConfig) -> anyhow::Result<()> {
    if !["starttls", "tls", "none"].contains(&config.tls.as_str()) {
        bail!("mail.tls is {:?}; it can be starttls, tls or none", config.tls);
    }
    if config.tls == "none" && !config.password.0.is_empty() {
        bail!("mail.password would be sent in plain text; set mail.tls to starttls or tls");
    }
    if config.from.parse::<Mailbox>().is_err() {
        bail!("mail.from is {:?}; a sender like Watchkeeper <watchkeeper@example.com> is needed", config.from);
    }
    Ok(())
}

impl Alerting {
    /// Sends one mail once.
    pub(super) async fn send_mail(&self, address: &str, mail: &Mail, delivery_id: &str) -> Answer {
        if self.mail.host.is_empty() {
            let reason = "no mail server is configured; set mail.host and mail.from".to_owned();
            return Answer::Refused { reason };
        }
        let message = match message(&self.mail, address, mail, delivery_id) {
            Ok(message) => message,
            Err(error) => return Answer::Refused { reason: format!("the mail cannot be made: {error}") },
        };
        let transport = match transport(&self.mail, &self.trusted) {
            Ok(transport) => transport,
            Err(error) => return Answer::Refused { reason: format!("mail cannot be sent: {error}") },
        };
        let sent = tokio::task::spawn_blocking(move || transport.send(&message)).await;
        match sent {
            Ok(Ok(_)) => Answer::Delivered,
            Ok(Err(error)) if error.is_permanent() => {
                Answer::Refused { reason: format!("the mail server refuses it: {}", told(&error)) }
            }
            Ok(Err(error)) => {
                Answer::Later { reason: format!("the mail server {}: {}", self.mail.host, told(&error)), after: None }
            }
            Err(error) => Answer::Later { reason: format!("sending ended badly: {error}"), after: None },
        }
    }
}

fn told(error: &lettre::transport::smtp::Error) -> String {
    let mut text = error.to_string();
    if let Some(source) = std::error::Error::source(error) {
        let source = source.to_string();
        if !text.contains(&source) {
            text = format!("{text}: {source}");
        }
    }
    text
}

fn message(config: &MailConfig, address: &str, mail: &Mail, delivery_id: &str) -> anyhow::Result<Message> {
    let from: Mailbox = config.from.parse()?;
    let domain = from.email.domain().to_owned();
    let builder = Message::builder()
        .from(from)
        .to(address.parse()?)
        .subject(&mail.subject)
        // the same for every try of one delivery: a mail server that knows it drops the double
        .message_id(Some(format!("<{delivery_id}@{domain}>")))
        .raw_header(HeaderValue::new(HeaderName::new_from_ascii_str("Auto-Submitted"), "auto-generated".to_owned()));
    Ok(match mail.html.is_empty() {
        true => builder.body(mail.text.clone())?,
        false => builder.multipart(MultiPart::alternative_plain_html(mail.text.clone(), mail.html.clone()))?,
    })
}

fn transport(config: &MailConfig, trusted: &[Vec<u8>]) -> anyhow::Result<SmtpTransport> {
    let host = config.host.as_str();
    let parameters = || -> anyhow::Result<TlsParameters> {
        let mut builder = TlsParameters::builder(host.to_owned()).certificate_store(CertificateStore::None);
        for certificate in super::webhook::certificates(trusted)? {
            builder = builder.add_root_certificate(Certificate::from_der(certificate)?);
        }
        Ok(builder.build_rustls()?)
    };
    let (tls, port) = match config.tls.as_str() {
        "tls" => (Tls::Wrapper(parameters()?), 465),
        "none" => (Tls::None, 25),
        _ => (Tls::Required(parameters()?), 587),
    };
    let port = if config.port == 0 { port } else { config.port };
    let mut builder = SmtpTransport::builder_dangerous(host).port(port).tls(tls).timeout(Some(TIMEOUT));
    if !config.user.is_empty() {
        builder = builder.credentials(Credentials::new(config.user.clone(), config.password.0.clone()));
    }
    Ok(builder.build())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Secret;

    #[test]
    fn settings_that_cannot_work_are_said_at_the_start() {
        let refused = |config: MailConfig| check(&config).unwrap_err().to_string();
        assert!(check(&MailConfig::default()).is_ok());
        assert!(refused(MailConfig { tls: "ssl".into(), ..MailConfig::default() }).contains("starttls"));
        assert!(refused(MailConfig { from: "nobody".into(), ..MailConfig::default() }).contains("mail.from"));
        let plain = MailConfig { tls: "none".into(), password: Secret("x".into()), ..MailConfig::default() };
        assert!(refused(plain).contains("plain text"));
    }
}
