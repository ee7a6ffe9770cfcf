"""`make demo`: three breast-cancer institutes train one model here and are paid for it."""
