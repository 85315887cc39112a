use super::*;
use domain::ids::Digest;

/// What a server sends, byte by byte.
fn field(tag: u8, content: &[u8]) -> Vec<u8> {
    let mut bytes = vec![tag << 3 | 2];
    prost::encoding::encode_varint(content.len() as u64, &mut bytes);
    bytes.extend(content);
    bytes
}

fn number(tag: u8, value: u64) -> Vec<u8> {
    let mut bytes = vec![tag << 3];
    prost::encoding::encode_varint(value, &mut bytes);
    bytes
}

fn event(id: &str, link: Digest) -> Vec<u8> {
    let word = |name: &str, value: &str| {
        field(
            6,
            &[field(1, name.as_bytes()), field(2, value.as_bytes())].concat(),
        )
    };
    [
        field(1, &field(2, id.as_bytes())),
        field(2, &field(3, b"idledger.account-1")),
        number(3, 7),
        number(4, 300),
        number(5, 301),
        word("created", "17000000000000000"),
        word("type", "Kind"),
        word("content-type", "application/octet-stream"),
        field(7, format!("{{\"link\":\"{link}\"}}").as_bytes()),
        field(8, b"record"),
        // What a later server may add.
        number(15, 1),
    ]
    .concat()
}

#[test]
fn an_event_is_read_from_its_bytes() {
    let id = "0191b2c3-0000-7000-8000-00000000002a";
    let link = Digest([7; 32]);
    let recorded = event(id, link);
    let answer = field(1, &[field(1, &recorded), number(3, 301)].concat());
    let answer = Answer::decode(&*answer).unwrap();
    let found = answer.event.unwrap().event.unwrap().found().unwrap();
    assert_eq!(&found.name[..], b"idledger.account-1");
    assert_eq!(found.revision, 7);
    assert_eq!((found.place.commit, found.place.prepare), (301, 300));
    assert_eq!(found.id.0, *uuid::Uuid::parse_str(id).unwrap().as_bytes());
    assert_eq!(found.kind, "Kind");
    assert_eq!(found.link, Some(link));
    assert_eq!(&found.bytes[..], b"record");
}

#[test]
fn what_is_no_event_is_none() {
    // A confirmation, a place, a word that the server has caught up, one that is not known.
    for tag in [2, 3, 8, 9, 14] {
        let answer = Answer::decode(&*field(tag, &number(1, 5))).unwrap();
        assert_eq!(answer.event, None, "{tag}");
    }
    let recorded = |bytes: &[u8]| Recorded::decode(bytes).unwrap().found();
    assert!(recorded(&event("no id", Digest([0; 32]))).is_none());
    assert!(recorded(&[]).is_none());
}

#[test]
fn what_is_asked_for_is_written_as_stated() {
    let at = LogPlace {
        commit: 301,
        prepare: 300,
    };
    let prefixes = vec!["idledger.".to_owned()];
    let place = [number(1, 301), number(2, 300)].concat();
    let filter = [
        field(1, &field(2, b"idledger.")),
        number(3, 1024),
        number(5, 1),
    ];
    let filter = field(7, &filter.concat());
    let ids = field(9, &field(2, &[]));
    for (from, count, wanted) in [
        (Some(at), None, [field(2, &field(1, &place)), field(6, &[])]),
        (None, Some(300), [field(2, &field(2, &[])), number(5, 300)]),
    ] {
        let request = Request::new(from, prefixes.clone(), count);
        let wanted = [wanted.concat(), filter.clone(), ids.clone()].concat();
        assert_eq!(request.encode_to_vec(), field(1, &wanted));
    }
}
