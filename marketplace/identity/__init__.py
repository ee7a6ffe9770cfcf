"""Who is who: wallets that sign in, the built-in certificate authority, software leases."""
