//! The services of letter S004 with their names, copied from the specification A.6.

use crate::vocabulary::Level;

/// A service's names and parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ServiceNames {
    /// Stable id.
    pub id: &'static str,
    /// Lowest level that may use it.
    pub level: Level,
    /// As printed in S004.
    pub vi: &'static str,
    /// In English.
    pub en: &'static str,
    /// Parts worth their own id. The official count stays 9 and 16.
    pub features: &'static [Feature],
}

/// A part of a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Feature {
    /// Stable id.
    pub id: &'static str,
    /// In Vietnamese.
    pub vi: &'static str,
    /// In English.
    pub en: &'static str,
}

/// Short form for the table below.
const fn service(
    id: &'static str,
    level: Level,
    vi: &'static str,
    en: &'static str,
    features: &'static [Feature],
) -> ServiceNames {
    ServiceNames {
        id,
        level,
        vi,
        en,
        features,
    }
}

/// Short form for the table below.
const fn part(id: &'static str, vi: &'static str, en: &'static str) -> Feature {
    Feature { id, vi, en }
}

/// In the official order: nine at level 1, seven more at level 2.
pub(super) const V2024_03: &[ServiceNames] = &[
    service(
        "population_data_integration",
        Level::One,
        "Tích hợp thông tin cá nhân từ Cơ sở dữ liệu quốc gia về dân cư",
        "Personal information integrated from the National Population Database",
        &[],
    ),
    service(
        "public_service_sso",
        Level::One,
        "Đăng nhập (SSO) và sử dụng các Dịch vụ công trực tuyến",
        "Single sign-on to, and use of, online public services",
        &[],
    ),
    service(
        "stay_notification",
        Level::One,
        "Thực hiện thông báo lưu trú",
        "Notify a temporary stay (lodging)",
        &[],
    ),
    service(
        "security_feedback",
        Level::One,
        "Phản ánh, kiến nghị về an ninh trật tự",
        "Reports and petitions on security and public order",
        &[],
    ),
    service(
        "procedure_and_card_notifications",
        Level::One,
        "Nhận thông báo giải quyết thủ tục hành chính dịch vụ công liên thông về đăng ký khai \
         sinh, đăng ký thường trú, cấp thẻ bảo hiểm y tế cho trẻ em dưới 6 tuổi; dịch vụ công \
         liên thông, đăng ký khai tử, xóa đăng ký thường trú, trợ cấp mai táng, hỗ trợ chi phí \
         mai táng; nhận cảnh báo hết hạn thẻ Căn cước công dân (CCCD) gắn chip; Thông báo sinh \
         nhật",
        "Receive notices on linked procedures (birth registration + permanent residence + \
         health-insurance card for under-6s; death registration + deregistration of residence + \
         funeral allowance and costs); chip-card expiry warning; birthday notice",
        &[
            part(
                "notify_birth_linked",
                "Thông báo thủ tục liên thông đăng ký khai sinh, đăng ký thường trú, cấp thẻ bảo hiểm y \
                 tế cho trẻ em dưới 6 tuổi",
                "Notices on the linked procedure at birth",
            ),
            part(
                "notify_death_linked",
                "Thông báo thủ tục liên thông đăng ký khai tử, xóa đăng ký thường trú, trợ cấp mai táng, \
                 hỗ trợ chi phí mai táng",
                "Notices on the linked procedure at death",
            ),
            part(
                "notify_card_expiry",
                "Cảnh báo hết hạn thẻ CCCD gắn chíp",
                "Warning before the chip card expires",
            ),
            part("notify_birthday", "Thông báo sinh nhật", "Birthday notice"),
        ],
    ),
    service(
        "crime_news_alerts",
        Level::One,
        "Cập nhật các thông tin, tin tức, cảnh báo thủ đoạn tội phạm",
        "Information, news and warnings on criminal methods",
        &[],
    ),
    service(
        "citizen_data_sharing",
        Level::One,
        "Chia sẻ dữ liệu công dân thông qua việc xuất trình thông tin được tích hợp trực tiếp \
         trên VNeID; thông qua mã QR căn cước; thông qua mã QR định danh",
        "Share citizen data by presenting integrated information in VNeID; by the ID-card QR; by \
         the identification QR",
        &[
            part(
                "share_in_app",
                "Xuất trình thông tin được tích hợp trực tiếp trên VNeID",
                "Present integrated information in VNeID",
            ),
            part(
                "share_card_qr",
                "Thông qua mã QR căn cước",
                "By the ID-card QR",
            ),
            part(
                "share_identification_qr",
                "Thông qua mã QR định danh",
                "By the identification QR",
            ),
        ],
    ),
    service(
        "online_phone_change",
        Level::One,
        "Đổi số điện thoại trực tuyến",
        "Change phone number online",
        &[],
    ),
    service(
        "device_change_authentication",
        Level::One,
        "Xác thực khi đổi thiết bị đăng nhập",
        "Authentication when changing the login device",
        &[],
    ),
    service(
        "residence_information",
        Level::Two,
        "Thông tin cư trú (Hộ khẩu online)",
        "Residence information (online household book)",
        &[],
    ),
    service(
        "id_card_current_and_history",
        Level::Two,
        "Tích hợp thông tin thẻ CCCD gắn chip mới nhất và lịch sử thông tin thẻ CCCD, chứng minh \
         nhân dân",
        "Latest chip-card information and history of CCCD and CMND",
        &[],
    ),
    service(
        "dependant_integration",
        Level::Two,
        "Tích hợp thông tin người phụ thuộc (con dưới 14 tuổi hoặc người giám hộ) được xác thực \
         với Cơ sở dữ liệu quốc gia về dân cư",
        "Dependants (children under 14 or wards) authenticated against the NPDB",
        &[],
    ),
    service(
        "driving_licence_and_vehicle",
        Level::Two,
        "Tích hợp thông tin giấy phép lái xe, đăng ký xe",
        "Driving licence and vehicle registration",
        &[
            part("driving_licence", "Giấy phép lái xe", "Driving licence"),
            part("vehicle_registration", "Đăng ký xe", "Vehicle registration"),
        ],
    ),
    service(
        "health_insurance_card",
        Level::Two,
        "Tích hợp thông tin thẻ bảo hiểm y tế",
        "Health-insurance card",
        &[],
    ),
    service(
        "social_insurance_history",
        Level::Two,
        "Tích hợp thông tin quá trình tham gia bảo hiểm xã hội",
        "Social-insurance participation history",
        &[],
    ),
    service(
        "electronic_health_record",
        Level::Two,
        "Tích hợp thông tin lịch sử khám chữa bệnh (Sổ sức khỏe điện tử)",
        "Medical history (electronic health book)",
        &[],
    ),
];
