"""The items a service knows: their details, and how they are found."""
