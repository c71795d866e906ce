// Package faults breaks what Firebreak stands on, one thing at a time, while persons, machines and controllers go on sending
// requests, and counts what becomes of each. Whatever is broken, nothing that must be denied is stored, nothing that was admitted
// lacks its record, and once the fault is gone everything is judged again as before. README.md says how to read the table.
//
// This package may change without notice.
package faults
