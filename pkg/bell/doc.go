// Package bell says what people should be told about windows, freezes, emergencies and what expires: which notices are due at an instant, to which targets they go,
// and in which words. It reads no clock and no cluster. Sender delivers one message.
//
// A message holds no text of a plan and no credential. It holds commands and links, and nothing that acts with Firebreak's rights.
//
// This package may change without notice.
package bell
