// The options that a product's configuration has, read off the structs that it decodes its
// files into. `update` puts this file and a product's own into the module that pins the
// product, and so makes a program that prints them.
package main

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
)

// anything stands for a name that the operator chooses; as a path's last word, for all below.
const anything = "*"

// options are paths such as `server.client_introduction.enforcement`.
type options map[string]bool

func (o options) note(path ...string) { o[strings.Join(path, ".")] = true }

// walk notes what a value of type t at a path takes. The tag called `tag` names the fields;
// `above` are the structs that it is part of: one within itself, such as the sidecar of a
// service, is not gone through again.
func (o options) walk(t reflect.Type, tag string, above []reflect.Type, path ...string) {
	switch t.Kind() {
	case reflect.Pointer, reflect.Slice:
		o.walk(t.Elem(), tag, above, path...)
	case reflect.Map:
		o.walk(t.Elem(), tag, above, below(path, anything)...)
	case reflect.Interface:
		o.note(below(path, anything)...)
	case reflect.Struct:
		if slices.Contains(above, t) {
			o.note(below(path, anything)...)
			return
		}
		o.fields(t, tag, append(slices.Clone(above), t), path)
	default:
		o.note(path...)
	}
}

// fields notes the options of a struct. What a product calls deprecated is left out: nobody
// should write it any more.
func (o options) fields(t reflect.Type, tag string, above []reflect.Type, path []string) {
	if isLabelled(t, tag) {
		path = below(path, anything)
	}
	for i := range t.NumField() {
		field := t.Field(i)
		name, how, _ := strings.Cut(field.Tag.Get(tag), ",")
		switch {
		case how == "squash" && !strings.HasPrefix(field.Type.Name(), "Deprecated"):
			o.walk(field.Type, tag, above, path...)
		case name != "" && name != "-":
			o.walk(field.Type, tag, above, below(path, name)...)
		}
	}
}

// isLabelled tells whether a struct is a block with a name of its own: `plugin "docker" {}`.
func isLabelled(t reflect.Type, tag string) bool {
	for i := range t.NumField() {
		if t.Field(i).Tag.Get(tag) == ",key" {
			return true
		}
	}
	return false
}

// below is a path with one more word; after a last word that stands for all, none is needed.
func below(path []string, name string) []string {
	if name == anything && len(path) > 0 && path[len(path)-1] == anything {
		return path
	}
	return append(slices.Clone(path), name)
}

func (o options) print() {
	for _, path := range slices.Sorted(maps.Keys(o)) {
		fmt.Println(path)
	}
}
