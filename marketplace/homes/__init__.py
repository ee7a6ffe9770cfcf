"""What each kind of person wants to see first: admins, owners of data, operators of nodes."""
