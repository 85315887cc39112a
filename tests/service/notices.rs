//! Notices: what the holder is told, over which channel, and what is recorded of it. Against a real
//! SMTP server (Python's `aiosmtpd`), a real HTTP gateway, and the app.

use super::peers::{Gateway, MailServer, ids};
use super::procedures::{NUMBER, PHONE, app_account};
use super::world::{World, capture, person};
use core::time::Duration;
use domain::event::{Event, kind_name};
use domain::ids::{AccountId, EventId};
use domain::record::{RecordRef, open_event};
use domain::vocabulary::Channel;
use ledger::messenger::{Messenger as _, OutgoingMessage};
use ledger::store::BoxFuture;
use ledger::writer::Contact;
use outside::notices::codes::{Codes, Ways};
use outside::notices::mail::{Mail, MailSettings};
use outside::notices::sms::Gateway as SmsGateway;
use outside::notices::{Carried, Carrier, CarryError, Letter, Round, Sender, Settings};
use outside::retry::{Backoff, Standing};
use serde_json::json;
use std::sync::Arc;
use tokio::sync::Notify;

fn sender(world: &World, carriers: Vec<Arc<dyn Carrier>>) -> Sender {
    let settings = Settings {
        attempts_max: 3,
        backoff: Backoff {
            first: Duration::from_secs(8),
            most: Duration::from_mins(1),
        },
        ..Settings::default()
    };
    Sender::new(
        world.ledger.clone(),
        world.views.clone(),
        carriers,
        settings,
    )
}

fn mail_to(server: &MailServer) -> Mail {
    let settings = MailSettings {
        host: "127.0.0.1".to_owned(),
        port: server.port,
        from: "VNeID <no-reply@example.vn>".to_owned(),
        login: None,
    };
    Mail::new(settings).unwrap()
}

/// The events of an account from the decision on.
async fn events(world: &World, account: &str) -> Vec<Event> {
    let account: AccountId = account.parse().unwrap();
    let stream = domain::ids::StreamId::account(account);
    let records = world
        .ledger
        .store()
        .read_stream(stream, domain::ids::Revision(0), 500);
    let records = records.await.unwrap();
    let events = records.iter().map(|record| {
        let envelope = RecordRef::parse(&record.bytes)
            .unwrap()
            .open_envelope()
            .unwrap();
        open_event(&envelope).unwrap()
    });
    events
        .skip_while(|event| !matches!(event, Event::AccountIssued(_)))
        .skip(1)
        .collect()
}

async fn kinds(world: &World, account: &str) -> Vec<&'static str> {
    let events = events(world, account).await;
    events
        .iter()
        .map(|event| kind_name(event.kind()).unwrap())
        .collect()
}

/// A level-1 account that was issued and that nobody has told anything yet.
async fn issued(world: &World, session: &str, account: &str, number: &str) -> String {
    let qr = format!("{number}||Nguyễn Thị Đẹp|29021984|Nữ|Hải Dương|01012022");
    let body = json!({ "qr": qr, "portrait": capture() });
    let path = format!("/v1/accounts/{account}/level-1-applications");
    let case = world
        .post_as(session, &path, body)
        .await
        .recorded()
        .text("case");
    let at = format!("/v1/accounts/{account}/cases/{case}");
    let body = json!({ "modality": "portrait", "database": "citizen_card", "result": "match" });
    let path = format!("{at}/registry-results");
    world
        .post_signed(&world.adapter, &path, body)
        .await
        .recorded();
    let path = format!("{at}/decision");
    let approve = json!({ "approve": true });
    world
        .post_signed(&world.authority, &path, approve)
        .await
        .recorded();
    world.settle().await;
    case
}

const SENT: Round = Round {
    sent: 1,
    received: 0,
    put_off: 0,
    given_up: 0,
};

#[tokio::test]
async fn a_result_goes_out_by_sms_and_its_receipt_opens_the_window() {
    let world = World::new().await;
    let gateway = Gateway::start().await;
    let (account, session) = app_account(&world, NUMBER, PHONE).await;
    issued(&world, &session, &account, NUMBER).await;
    let carrier = SmsGateway::new(gateway.peer(&world), false);
    let sender = sender(&world, vec![Arc::new(carrier)]);
    assert_eq!(sender.round().await.unwrap(), SENT);
    assert_eq!(gateway.taken(), [("+84912345678".to_owned(), true)]);
    assert_eq!(kinds(&world, &account).await, ["NoticeSent"]);
    // Taken is not received: asked for, and not every time.
    assert_eq!(sender.round().await.unwrap(), Round::default());
    gateway.deliver();
    assert_eq!(
        sender.round().await.unwrap(),
        Round::default(),
        "not asked again yet"
    );
    world.pass(61);
    let received = Round {
        sent: 0,
        received: 1,
        ..SENT
    };
    assert_eq!(sender.round().await.unwrap(), received);
    let told = [
        "NoticeSent",
        "NoticeDelivered",
        "ResultNotified",
        "ActivationWindowOpened",
    ];
    assert_eq!(kinds(&world, &account).await, told);
    let notified = events(&world, &account).await;
    assert!(notified.iter().any(|event| matches!(
        event,
        Event::ResultNotified(facts)
            if facts.channel == Channel::Sms && facts.received_at == world.ledger.now()
    )));
    // Nothing more to do, for this sender and for one that was started anew.
    assert_eq!(sender.round().await.unwrap(), Round::default());
    world.settle().await;
    assert_eq!(gateway.taken().len(), 1);
}

#[tokio::test]
async fn a_gateway_that_fails_is_tried_again_and_given_up_visibly() {
    let world = World::new().await;
    let gateway = Gateway::start().await;
    let (account, session) = app_account(&world, NUMBER, PHONE).await;
    issued(&world, &session, &account, NUMBER).await;
    gateway.fail(true);
    let carrier = SmsGateway::new(gateway.peer(&world), true);
    let sender = sender(&world, vec![Arc::new(carrier)]);
    let put_off = Round {
        sent: 0,
        put_off: 1,
        ..SENT
    };
    assert_eq!(sender.round().await.unwrap(), put_off);
    assert_eq!(
        sender.round().await.unwrap(),
        Round::default(),
        "it waits before it tries again"
    );
    world.pass(9);
    assert_eq!(sender.round().await.unwrap(), put_off);
    world.pass(17);
    let given_up = Round {
        sent: 0,
        given_up: 1,
        ..SENT
    };
    assert_eq!(sender.round().await.unwrap(), given_up);
    let events = events(&world, &account).await;
    let [Event::NoticeFailed(failed)] = events.as_slice() else {
        panic!("{events:?}");
    };
    assert_eq!(
        (failed.attempts, failed.last, failed.channel),
        (3, true, Channel::Sms)
    );
    gateway.fail(false);
    world.pass(600);
    assert_eq!(
        sender.round().await.unwrap(),
        Round::default(),
        "given up is given up"
    );
    // The app still shows it, and the citizen's receipt counts.
    let notices = world
        .get_as(&session, &format!("/v1/accounts/{account}/notices"))
        .await
        .ok();
    let notice = notices.json()["notices"][0].clone();
    assert_eq!(notice["message"], "MSG_ISSUANCE_RESULT");
    assert_eq!(notice["state"], "failed");
    let path = format!(
        "/v1/accounts/{account}/notices/{}/receipt",
        notice["notice"].as_str().unwrap()
    );
    world.post_as(&session, &path, json!({})).await.recorded();
    let told = [
        "NoticeFailed",
        "NoticeDelivered",
        "ResultNotified",
        "ActivationWindowOpened",
    ];
    assert_eq!(kinds(&world, &account).await, told);
    let stranger = format!("/v1/accounts/{account}/notices/{}/receipt", "0".repeat(32));
    assert_eq!(
        world.post_as(&session, &stranger, json!({})).await.status,
        404
    );
}

/// An app account of somebody who gave an address as well.
async fn account_with_mail(world: &World) -> (String, String) {
    let mut body = person(NUMBER, PHONE);
    body["email"] = json!("dep@example.vn");
    let asked = world.post("/v1/registrations", body).await.recorded();
    let account = asked.text("account");
    let code = json!({ "challenge": asked.text("challenge"), "otp": world.code_of(&account) });
    let path = format!("/v1/registrations/{account}/otp");
    let confirmed = world.post(&path, code).await.recorded();
    let session = confirmed.json()["session"]["token"]
        .as_str()
        .unwrap()
        .to_owned();
    let password = json!({ "password": "con mèo nằm trên mái" });
    let path = format!("/v1/accounts/{account}/password");
    world.post_as(&session, &path, password).await.recorded();
    (account, session)
}

#[tokio::test]
async fn mail_goes_through_a_real_server_where_there_is_no_phone_to_reach() {
    let world = World::new().await;
    let server = MailServer::start();
    let (account, session) = account_with_mail(&world).await;
    issued(&world, &session, &account, NUMBER).await;

    let gateway = Gateway::start().await;
    gateway.refuse(true);
    let sms = SmsGateway::new(gateway.peer(&world), true);
    let sender = sender(&world, vec![Arc::new(sms), Arc::new(mail_to(&server))]);
    let round = sender.round().await.unwrap();
    assert_eq!(round.given_up, 1, "the gateway refused the number for good");
    let round = sender.round().await.unwrap();
    assert_eq!((round.sent, round.received), (1, 1));
    let mail = server.received();
    assert_eq!(mail.len(), 1);
    assert_eq!(mail[0]["to"], json!(["dep@example.vn"]));
    assert_eq!(mail[0]["from"], "no-reply@example.vn");
    let text = mail[0]["text"].as_str().unwrap();
    assert!(text.contains("7 ngày kể từ khi nhận thông báo"), "{text}");
    assert!(!text.contains(NUMBER));
    let told = [
        "NoticeFailed",
        "NoticeSent",
        "NoticeDelivered",
        "ResultNotified",
        "ActivationWindowOpened",
    ];
    assert_eq!(kinds(&world, &account).await, told);
}

/// A carrier whose server dies after it took a notice over and before that was recorded.
struct Dies<C> {
    carrier: C,
    took: Arc<Notify>,
}

impl<C: Carrier> Carrier for Dies<C> {
    fn channel(&self) -> Channel {
        self.carrier.channel()
    }

    fn address<'c>(&self, contact: &'c Contact) -> &'c str {
        self.carrier.address(contact)
    }

    fn carry<'a>(&'a self, letter: &'a Letter) -> BoxFuture<'a, Result<Carried, CarryError>> {
        Box::pin(async move {
            self.carrier.carry(letter).await.unwrap();
            self.took.notify_one();
            core::future::pending().await
        })
    }

    fn receipt(&self, id: EventId) -> BoxFuture<'_, Result<Carried, CarryError>> {
        self.carrier.receipt(id)
    }
}

/// Runs a sender until its carrier took something, and drops it there.
async fn dies_after_taking<C: Carrier>(world: &World, carrier: C) {
    let took = Arc::new(Notify::new());
    let dying = Dies {
        carrier,
        took: took.clone(),
    };
    let sender = sender(world, vec![Arc::new(dying)]);
    tokio::select! {
        round = sender.round() => panic!("{round:?}"),
        () = took.notified() => {}
    }
}

#[tokio::test]
async fn a_crash_between_sending_and_recording_sends_again_under_the_same_id() {
    let world = World::new().await;
    let gateway = Gateway::start().await;
    let (account, session) = app_account(&world, NUMBER, PHONE).await;
    issued(&world, &session, &account, NUMBER).await;
    let sms = || SmsGateway::new(gateway.peer(&world), true);
    dies_after_taking(&world, sms()).await;
    assert_eq!(
        kinds(&world, &account).await,
        [""; 0],
        "nothing is recorded"
    );
    assert_eq!(gateway.came().len(), 1);
    let again = sender(&world, vec![Arc::new(sms())]);
    let round = again.round().await.unwrap();
    assert_eq!((round.sent, round.received), (1, 1));
    let came = gateway.came();
    assert_eq!(came.len(), 2);
    assert_eq!(came[0], came[1], "the same notice, under the same id");
    assert_eq!(gateway.taken().len(), 1, "so the gateway sends it once");
    let told = [
        "NoticeSent",
        "NoticeDelivered",
        "ResultNotified",
        "ActivationWindowOpened",
    ];
    assert_eq!(kinds(&world, &account).await, told);
}

#[tokio::test]
async fn mail_that_was_sent_twice_has_one_message_id() {
    let world = World::new().await;
    let server = MailServer::start();
    let (account, session) = account_with_mail(&world).await;
    issued(&world, &session, &account, NUMBER).await;
    dies_after_taking(&world, mail_to(&server)).await;
    let again = sender(&world, vec![Arc::new(mail_to(&server))]);
    let round = again.round().await.unwrap();
    assert_eq!((round.sent, round.received), (1, 1));
    let mails = server.received_all(2);
    assert_eq!(mails[0]["id"], mails[1]["id"]);
    assert_eq!(mails[0]["text"], mails[1]["text"]);
    let sent = events(&world, &account).await;
    let sent = sent
        .iter()
        .filter(|event| matches!(event, Event::NoticeSent(_)));
    assert_eq!(sent.count(), 1);
}

#[tokio::test]
async fn a_mail_server_that_is_away_is_tried_again() {
    let world = World::new().await;
    let (account, session) = account_with_mail(&world).await;
    issued(&world, &session, &account, NUMBER).await;
    let server = MailServer::start();
    let nobody = Mail::new(MailSettings {
        host: "127.0.0.1".to_owned(),
        port: 1,
        from: "VNeID <no-reply@example.vn>".to_owned(),
        login: None,
    });
    let away = sender(&world, vec![Arc::new(nobody.unwrap())]);
    assert_eq!(away.round().await.unwrap().put_off, 1);
    world.pass(9);
    assert_eq!(away.round().await.unwrap().put_off, 1);
    let there = sender(&world, vec![Arc::new(mail_to(&server))]);
    assert_eq!(there.round().await.unwrap().received, 1);
    assert_eq!(server.received().len(), 1);
}

fn code_to(phone: &str, email: &str) -> OutgoingMessage {
    OutgoingMessage {
        account: AccountId([7; 16]),
        phone: phone.to_owned(),
        email: email.to_owned(),
        message: domain::vocabulary::Message::OtpSent,
        challenge: None,
        code: Some("482913".to_owned()),
    }
}

// Two threads: this one waits for the mail server, another brings it the mail.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn codes_leave_directly_and_are_nowhere_else() {
    let world = World::new().await;
    let gateway = Gateway::start().await;
    let server = MailServer::start();
    let codes = Codes::start(Ways {
        sms: Some(SmsGateway::new(gateway.peer(&world), true)),
        mail: Some(Arc::new(mail_to(&server))),
        ids: ids(),
    });
    gateway.fail_once();
    codes.send(code_to("+84912345678", "dep@example.vn"));
    let text = gateway.next_text().await;
    assert!(text.contains("482913"));
    assert_eq!(gateway.taken().len(), 1, "tried again under one id is once");
    codes.send(code_to("", "dep@example.vn"));
    let mail = server.received();
    assert_eq!(mail.len(), 1, "only who has no number gets it by mail");
    assert!(mail[0]["text"].as_str().unwrap().contains("482913"));
    assert_eq!(gateway.taken().len(), 1);
}

#[tokio::test]
async fn a_gateway_that_keeps_failing_is_left_alone_and_nothing_is_given_up_for_that() {
    let world = World::new().await;
    let gateway = Gateway::start().await;
    let (account, session) = app_account(&world, NUMBER, PHONE).await;
    issued(&world, &session, &account, NUMBER).await;
    let carrier = SmsGateway::new(gateway.peer(&world), true);
    let peer = carrier.peer();
    let carrier: Arc<dyn Carrier> = Arc::new(carrier);
    gateway.fail(true);
    // Senders that were started anew do not wait before their first try; the gateway is the same.
    for asked in 1..=5 {
        let sender = sender(&world, vec![Arc::clone(&carrier)]);
        assert_eq!(sender.round().await.unwrap().put_off, 1);
        assert_eq!(peer.figures().asked, asked);
    }
    assert_eq!(peer.figures().standing, Standing::Open);
    // More rounds than there are tries: nobody is asked, and nothing is given up.
    let patient = sender(&world, vec![Arc::clone(&carrier)]);
    for _ in 0..12 {
        let round = patient.round().await.unwrap();
        assert_eq!((round.given_up, peer.figures().asked), (0, 5));
        world.pass(2);
    }
    gateway.fail(false);
    world.pass(60);
    let round = patient.round().await.unwrap();
    assert_eq!((round.sent, round.received), (1, 1));
    assert_eq!(peer.figures().standing, Standing::Closed);
}

#[tokio::test]
async fn a_message_that_is_refused_is_no_failure_of_the_gateway() {
    let world = World::new().await;
    let gateway = Gateway::start().await;
    gateway.refuse(true);
    let carrier = SmsGateway::new(gateway.peer(&world), true);
    for number in 0..8_u8 {
        let letter = Letter {
            id: domain::ids::EventId([number; 16]),
            account: AccountId([7; 16]),
            message: domain::vocabulary::Message::IssuanceResult,
            to: "+84912345678".to_owned().into(),
            text: "x".to_owned(),
        };
        assert_eq!(carrier.carry(&letter).await, Err(CarryError::Refused));
    }
    let figures = carrier.peer().figures();
    assert_eq!((figures.asked, figures.failed), (8, 0));
    assert_eq!(figures.standing, Standing::Closed);
}
