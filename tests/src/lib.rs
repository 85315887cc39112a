//! What every black-box test shares.
