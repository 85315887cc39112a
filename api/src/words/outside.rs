//! Sentences of what the ledger does by itself: notices, and registries it waits for.

use super::Words;
use domain::event::Event;
use domain::messages::message_id;

impl Words {
    pub(super) fn outside(&self, event: &Event) -> Option<String> {
        match event {
            Event::ServiceNoticeGiven(f) => self.say(
                format!("Thông báo cho công dân ({})", message_id(f.message)),
                format!("Something to tell the holder ({})", message_id(f.message)),
            ),
            Event::NoticeSent(f) => self.say(
                format!(
                    "Gửi thông báo {} qua {}",
                    message_id(f.message),
                    self.t(&f.channel)
                ),
                format!(
                    "Notice {} sent by {}",
                    message_id(f.message),
                    self.t(&f.channel)
                ),
            ),
            Event::NoticeDelivered(f) => self.say(
                format!("Đã nhận thông báo qua {}", self.t(&f.channel)),
                format!("Notice received by {}", self.t(&f.channel)),
            ),
            Event::NoticeFailed(f) => self.say(
                format!(
                    "Không gửi được thông báo qua {}: {}",
                    self.t(&f.channel),
                    self.t(&f.fault)
                ),
                format!(
                    "Notice given up by {}: {}",
                    self.t(&f.channel),
                    self.t(&f.fault)
                ),
            ),
            Event::RegistryAnswerAwaited(f) => self.say(
                format!("Chờ {} trả lời", self.t(&f.database)),
                format!("Waiting for {} to answer", self.t(&f.database)),
            ),
            Event::OrganisationChecked(f) => self.say(
                format!(
                    "Cơ sở dữ liệu xác nhận tổ chức; thêm {} người đại diện phải đồng ý",
                    f.others.len()
                ),
                format!(
                    "The databases know the organisation; {} more must agree",
                    f.others.len()
                ),
            ),
            Event::ForeignerChecked(f) => self.say(
                if f.biometrics_held {
                    "Cơ sở dữ liệu xuất nhập cảnh đã có ảnh khuôn mặt và vân tay"
                } else {
                    "Cơ sở dữ liệu xuất nhập cảnh chưa có ảnh khuôn mặt và vân tay"
                },
                if f.biometrics_held {
                    "The immigration database holds portrait and fingerprints"
                } else {
                    "The immigration database does not hold portrait and fingerprints"
                },
            ),
            Event::RegistryWaitEnded(f) => self.say(
                format!("Không còn chờ cơ sở dữ liệu: {}", self.t(&f.end)),
                format!("No longer waiting for a registry: {}", self.t(&f.end)),
            ),
            _ => None,
        }
    }
}
