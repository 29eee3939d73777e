"""What pricing is told: frozen values without behaviour beyond reading themselves, in the words of docs/domain.md."""
