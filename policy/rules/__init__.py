"""One file a rule. `registry` names them all; nothing else imports them."""
