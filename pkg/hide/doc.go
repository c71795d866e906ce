// Package hide takes credentials out of texts that people are to read, and leaves everything else as it stands: passwords in URLs and
// connection strings, values whose name says that they are credentials, tokens by their form, private keys. In place of each it puts a
// mark with a digest, so that two texts which differ in a credential alone still differ. It reads a text once, in time that grows with its
// length.
//
// What it does to a text is part of the digests of plans: a change here is a new version of that algorithm.
//
// This package may change without notice.
package hide
