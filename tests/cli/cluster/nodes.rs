//! Two servers of one ledger, restarted at random under load.
