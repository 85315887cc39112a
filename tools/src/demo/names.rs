//! Vietnamese names and places, with weights near what is common around Hải Dương.
//!
//! Lists of common names only: whoever comes out of them is nobody.

/// Family names, per mille.
pub const FAMILY: &[(&str, u32)] = &[
    ("Nguyễn", 310),
    ("Phạm", 105),
    ("Trần", 95),
    ("Vũ", 90),
    ("Lê", 72),
    ("Đỗ", 45),
    ("Bùi", 42),
    ("Hoàng", 40),
    ("Đặng", 32),
    ("Đoàn", 26),
    ("Phan", 20),
    ("Ngô", 18),
    ("Dương", 17),
    ("Đào", 16),
    ("Trịnh", 15),
    ("Đinh", 13),
    ("Lương", 12),
    ("Mạc", 8),
    ("Tăng", 8),
    ("Hà", 8),
    ("Nhữ", 4),
    ("Khúc", 4),
];

/// Middle names of women.
pub const MIDDLE_F: &[(&str, u32)] = &[
    ("Thị", 480),
    ("Thị Thu", 45),
    ("Thị Ngọc", 45),
    ("Thị Thanh", 40),
    ("Thị Minh", 30),
    ("Ngọc", 60),
    ("Thu", 55),
    ("Thanh", 50),
    ("Minh", 45),
    ("Phương", 40),
    ("Khánh", 30),
    ("Bảo", 25),
    ("Diệu", 15),
    ("Hà", 15),
    ("Quỳnh", 15),
    ("Như", 10),
];

/// Middle names of men.
pub const MIDDLE_M: &[(&str, u32)] = &[
    ("Văn", 430),
    ("Đức", 95),
    ("Minh", 70),
    ("Quang", 65),
    ("Xuân", 45),
    ("Ngọc", 40),
    ("Hữu", 40),
    ("Đình", 40),
    ("Thành", 35),
    ("Tuấn", 30),
    ("Mạnh", 30),
    ("Trọng", 25),
    ("Việt", 20),
    ("Huy", 20),
    ("Bá", 15),
];

/// Given names of women.
pub const GIVEN_F: &[(&str, u32)] = &[
    ("Anh", 62),
    ("Hương", 60),
    ("Hoa", 52),
    ("Lan", 50),
    ("Hà", 48),
    ("Linh", 48),
    ("Thảo", 46),
    ("Trang", 46),
    ("Huyền", 44),
    ("Hằng", 42),
    ("Nga", 40),
    ("Thủy", 40),
    ("Mai", 38),
    ("Yến", 34),
    ("Ngọc", 34),
    ("Nhung", 34),
    ("Phương", 34),
    ("Hạnh", 32),
    ("Loan", 30),
    ("Vân", 30),
    ("Thu", 28),
    ("Dung", 28),
    ("Oanh", 26),
    ("Quỳnh", 26),
    ("Chi", 24),
    ("Xuân", 20),
    ("Bích", 18),
    ("Thoa", 16),
];

/// Given names of men.
pub const GIVEN_M: &[(&str, u32)] = &[
    ("Hùng", 60),
    ("Tuấn", 60),
    ("Dũng", 56),
    ("Cường", 52),
    ("Minh", 50),
    ("Nam", 48),
    ("Sơn", 46),
    ("Hải", 46),
    ("Long", 42),
    ("Thắng", 42),
    ("Hiếu", 40),
    ("Đạt", 40),
    ("Quang", 38),
    ("Trung", 38),
    ("Anh", 38),
    ("Huy", 36),
    ("Thành", 36),
    ("Hoàng", 34),
    ("Đức", 32),
    ("Tùng", 32),
    ("Kiên", 28),
    ("Phong", 26),
    ("Bình", 26),
    ("Toàn", 24),
    ("Khánh", 22),
    ("Việt", 22),
    ("Lâm", 20),
    ("Mạnh", 20),
];

/// Wards and communes of Hải Dương city as they were from 2020 to mid-2025.
pub const WARDS: &[&str] = &[
    "phường Ái Quốc",
    "phường Bình Hàn",
    "phường Cẩm Thượng",
    "phường Hải Tân",
    "phường Lê Thanh Nghị",
    "phường Nam Đồng",
    "phường Ngọc Châu",
    "phường Nguyễn Trãi",
    "phường Nhị Châu",
    "phường Phạm Ngũ Lão",
    "phường Quang Trung",
    "phường Tân Bình",
    "phường Tân Hưng",
    "phường Thạch Khôi",
    "phường Thanh Bình",
    "phường Trần Hưng Đạo",
    "phường Trần Phú",
    "phường Tứ Minh",
    "phường Việt Hòa",
    "xã An Thượng",
    "xã Gia Xuyên",
    "xã Liên Hồng",
    "xã Ngọc Sơn",
    "xã Quyết Thắng",
    "xã Tiền Tiến",
];

/// Common street names.
pub const STREETS: &[&str] = &[
    "Nguyễn Lương Bằng",
    "Trần Hưng Đạo",
    "Thanh Niên",
    "Lê Thanh Nghị",
    "Bạch Đằng",
    "Phạm Ngũ Lão",
    "Quang Trung",
    "Hồng Quang",
    "Ngô Quyền",
    "Nguyễn Thị Duệ",
    "Trường Chinh",
    "Điện Biên Phủ",
    "Tuệ Tĩnh",
    "Bùi Thị Xuân",
    "Chi Lăng",
    "An Ninh",
];

/// Mobile prefixes in use (spec C.4), without the leading zero.
pub const MOBILE: &[&str] = &[
    "32", "33", "34", "35", "36", "37", "38", "39", "86", "96", "97", "98", "83", "84", "85", "88",
    "91", "94", "70", "76", "77", "78", "79", "89", "90", "93",
];

/// Device models.
pub const MODELS: &[&str] = &[
    "Galaxy A14",
    "Galaxy A54",
    "iPhone 11",
    "iPhone 13",
    "Redmi 12",
    "OPPO A57",
    "vivo Y22",
    "realme C55",
];
