package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"go.yaml.in/yaml/v3"
)

// definitions are the parts of values.schema.json that are made from CRDs. With them, Helm refuses a typo in a declared environment
// or data store, not only the API server later.
func definitions() map[string]string {
	return map[string]string{
		"environment": "firebreak.dev_environments.yaml",
		"dataStore":   "firebreak.dev_datastores.yaml",
	}
}

// definitionsKey is the beginning of the generated text, which is the last key of the schema.
const definitionsKey = "\n  \"definitions\": "

// schema writes the definitions into the chart's values.schema.json.
func schema(chart string) error {
	made := map[string]any{}
	for name, file := range definitions() {
		spec, err := specOf(filepath.Join(chart, "files", "crds", file))
		if err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
		made[name] = plain(spec)
	}
	text, err := json.MarshalIndent(made, "  ", "  ")
	if err != nil {
		return err
	}
	path := filepath.Join(chart, "values.schema.json")
	before, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	head, _, found := strings.Cut(string(before), definitionsKey)
	if !found {
		return fmt.Errorf("%s lacks a last key%s", path, definitionsKey)
	}
	out := []byte(head + definitionsKey + string(text) + "\n}\n")
	if bytes.Equal(out, before) {
		return nil
	}
	return os.WriteFile(path, out, 0o644)
}

// specOf reads the schema of a CRD's spec.
func specOf(path string) (map[string]any, error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var crd struct {
		Spec struct {
			Versions []struct {
				Schema struct {
					OpenAPIV3Schema struct {
						Properties map[string]map[string]any `yaml:"properties"`
					} `yaml:"openAPIV3Schema"`
				} `yaml:"schema"`
			} `yaml:"versions"`
		} `yaml:"spec"`
	}
	if err := yaml.Unmarshal(raw, &crd); err != nil {
		return nil, err
	}
	if len(crd.Spec.Versions) != 1 {
		return nil, fmt.Errorf("%d versions", len(crd.Spec.Versions))
	}
	return crd.Spec.Versions[0].Schema.OpenAPIV3Schema.Properties["spec"], nil
}

// plain turns a structural schema into a JSON schema that rejects unknown fields. It leaves out what only the API server
// understands, such as CEL.
func plain(in map[string]any) map[string]any {
	out := map[string]any{}
	for _, k := range []string{"type", "enum", "pattern", "minimum", "maximum", "minLength", "maxLength", "minItems", "maxItems", "maxProperties", "required"} {
		if v, ok := in[k]; ok {
			out[k] = v
		}
	}
	if items, ok := in["items"].(map[string]any); ok {
		out["items"] = plain(items)
	}
	if more, ok := in["additionalProperties"].(map[string]any); ok {
		out["additionalProperties"] = plain(more)
	}
	if fields, ok := in["properties"].(map[string]any); ok {
		of := map[string]any{}
		for name, f := range fields {
			if f, ok := f.(map[string]any); ok {
				of[name] = plain(f)
			}
		}
		out["properties"], out["additionalProperties"] = of, false
	}
	return out
}
