"""``ccf.snp_attestation``: evidence of AMD SEV-SNP platforms."""

from affiant._native import verify_snp_attestation

__all__ = ["verify_snp_attestation"]
