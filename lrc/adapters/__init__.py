"""What is trained inside a frozen encoder: prefixes, LoRA, bottlenecks, soft prompts."""
