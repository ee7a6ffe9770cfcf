"""What taking part costs this node: counted here, signed, shown; nobody is paid by it."""
