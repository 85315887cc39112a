//! E-mail over SMTP.
//!
//! A server's "250" is as much receipt as e-mail has. TLS unless the server is this machine. The
//! message id follows from the notice, so that a second sending can be told from a second notice.

use super::{Carried, Carrier, CarryError, Letter};
use domain::ids::EventId;
use domain::vocabulary::Channel;
use ledger::store::BoxFuture;
use ledger::writer::Contact;
use lettre::message::header::ContentType;
use lettre::message::{Mailbox, Message};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Tls, TlsParameters};
use lettre::{AsyncSmtpTransport, AsyncTransport as _, Tokio1Executor};
use std::time::Duration;

/// Longest time for one command of the exchange with the server.
const SMTP_TIME_MAX: Duration = Duration::from_secs(20);

/// How to reach the server.
#[derive(Clone)]
pub struct MailSettings {
    /// Host name.
    pub host: String,
    /// Port.
    pub port: u16,
    /// `Name <address>` or an address.
    pub from: String,
    /// User and password, where the server wants them.
    pub login: Option<(String, String)>,
}

/// Why mail cannot be set up.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MailError {
    /// The sender's address.
    #[error("the sender is not an e-mail address")]
    From,
    /// The server's name.
    #[error("the mail server's name cannot be used for TLS")]
    Host,
}

/// Brings notices by e-mail.
pub struct Mail {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
    domain: String,
}

impl Mail {
    /// Checks the settings; connects when something is to be sent.
    pub fn new(settings: MailSettings) -> Result<Self, MailError> {
        let from: Mailbox = settings.from.parse().map_err(|_| MailError::From)?;
        let own = matches!(settings.host.as_str(), "localhost" | "127.0.0.1" | "::1");
        let tls = if own {
            Tls::None
        } else {
            let host = settings.host.clone();
            Tls::Required(TlsParameters::new(host).map_err(|_| MailError::Host)?)
        };
        let mut builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(&settings.host)
            .port(settings.port)
            .timeout(Some(SMTP_TIME_MAX))
            .tls(tls);
        if let Some((user, password)) = settings.login {
            builder = builder.credentials(Credentials::new(user, password));
        }
        Ok(Self {
            transport: builder.build(),
            domain: from.email.domain().to_owned(),
            from,
        })
    }

    fn message(&self, id: &str, to: &str, text: &str) -> Result<Message, CarryError> {
        let to: Mailbox = to.parse().map_err(|_| CarryError::Refused)?;
        Message::builder()
            .from(self.from.clone())
            .to(to)
            .message_id(Some(format!("<{id}@{}>", self.domain)))
            .subject("Tài khoản định danh điện tử")
            .header(ContentType::TEXT_PLAIN)
            .body(text.to_owned())
            .map_err(|_| CarryError::Refused)
    }

    /// Hands a message over.
    pub(super) async fn post(&self, id: &str, to: &str, text: &str) -> Result<Carried, CarryError> {
        let message = self.message(id, to, text)?;
        match self.transport.send(message).await {
            Ok(_) => Ok(Carried::Delivered),
            Err(error) if error.is_permanent() => Err(CarryError::Refused),
            Err(_) => Err(CarryError::Temporary),
        }
    }
}

impl Carrier for Mail {
    fn channel(&self) -> Channel {
        Channel::Email
    }

    fn address<'c>(&self, contact: &'c Contact) -> &'c str {
        &contact.email
    }

    fn carry<'a>(&'a self, letter: &'a Letter) -> BoxFuture<'a, Result<Carried, CarryError>> {
        Box::pin(async move {
            let id = letter.id.to_string();
            self.post(&id, &letter.to, &letter.text).await
        })
    }

    fn receipt(&self, _: EventId) -> BoxFuture<'_, Result<Carried, CarryError>> {
        Box::pin(core::future::ready(Ok(Carried::Delivered)))
    }
}
