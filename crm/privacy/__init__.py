"""What crm keeps about customers: how it is exported, and how it is erased; a module per noun."""
