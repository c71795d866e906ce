// Package view turns objects of a cluster into the view that package policy judges by. The webhook and the check command both
// use it, so that they judge alike.
package view
