//! What an auditor is told of tampering, silence and copies, with which exit code.
