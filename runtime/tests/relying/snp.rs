//! SNP.
