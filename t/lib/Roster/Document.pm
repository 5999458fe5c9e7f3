# Roster::Document: the OpenAPI document, and whether an answer is what it says. Roster->call calls an operation by it.
package Roster::Document;
use v5.36;

use File::Basename ();
use JSON::PP ();

use Roster::Database;

my $json = JSON::PP->new->utf8->allow_nonref;
my ($document, $operations);
my $compatibility = '0.6';

# The value of the directive compatibility that stacks run with from now on, so that the document is that one.
sub use_compatibility ($value) {
    ($compatibility, $document, $operations) = $value;
    return;
}

# The document that the stack's programs print. Read once.
sub document ($stack) {
    return $document //= do {
        my ($status, $printed) = $stack->run_program('rosterctl', 'openapi', '--compatibility', $compatibility);
        die "rosterctl openapi: $status\n" if $status != 0;
        $json->decode($printed);
    };
}

# {name => {method, path, responses, operation}}. Read once.
sub operations ($stack) {
    return $operations //= do {
        my %found;
        for my $path (keys %{document($stack)->{paths}}) {
            for my $method (keys %{$document->{paths}{$path}}) {
                my $operation = $document->{paths}{$path}{$method};
                $found{$operation->{operationId}} = {
                    method => uc $method,
                    path => $path,
                    responses => $operation->{responses},
                    operation => $operation
                };
            }
        }
        \%found;
    };
}

# The codes of the errors that an operation has with a status.
sub codes ($response) { return ($response->{description} // '') =~ /`([A-Z_]+)`/g }

# Calls in tests: {"user_get 200" => file, "user_get USER_NOT_FOUND" => file}, as they are written.
sub calls ($source) {
    my %calls;
    for my $file (glob "$source/t/e2e/*.t") {
        my $text = Roster::Database::slurp($file);
        $calls{"$1 $2"} //= File::Basename::basename($file) while $text =~ /\bcall\(\s*(\w+) => '?(\w+)'?[,)]/g;
    }
    return \%calls;
}

# ---- A validator of what the document uses of JSON Schema ----

sub type_of ($value) {
    return
          !defined $value ? 'null'
        : JSON::PP::is_bool($value) ? 'boolean'
        : ref $value eq 'HASH' ? 'object'
        : ref $value eq 'ARRAY' ? 'array'
        : $json->encode($value) =~ /^"/ ? 'string'
        : $value =~ /^-?\d+$/ ? 'integer'
        : 'number';
}

# What a reference refers to.
sub resolve ($value) {
    while (my $reference = ref $value eq 'HASH' && $value->{'$ref'}) {
        my $target = $document;
        $target = $target->{$_} // die "$reference is nowhere\n"
            for grep { length && $_ ne '#' } split m{/}, $reference;
        $value = $target;
    }
    return $value;
}

# The faults of a value, as texts.
sub faults ($schema, $value, $place) {
    $schema = resolve($schema);
    my $type = type_of($value);
    my @faults;
    if (my $wanted = $schema->{type}) {
        my %allowed = map { ($_ => 1) } ref $wanted ? @$wanted : $wanted;
        $allowed{integer} = 1 if $allowed{number};
        return "$place is $type, not " . join ' or ', sort keys %allowed if !$allowed{$type};
    }
    my $text = $json->encode($value);
    push @faults, "$place: $text is none of the words"
        if $schema->{enum} && !grep { $json->encode($_) eq $text } @{$schema->{enum}};
    push @faults, "$place: $text is not the word"
        if exists $schema->{const} && $json->encode($schema->{const}) ne $text;
    push @faults, map { faults($_, $value, $place) } @{$schema->{allOf} // []};
    if ($schema->{anyOf}) {
        my @tries = map { [faults($_, $value, $place)] } @{$schema->{anyOf}};
        push @faults, map { @$_ } @tries if !grep { !@$_ } @tries;
    }
    if ($type eq 'object') {
        my $properties = $schema->{properties} // {};
        push @faults, map { "$place lacks $_" } grep { !exists $value->{$_} } @{$schema->{required} // []};
        for my $key (sort keys %$value) {
            if ($properties->{$key}) {
                push @faults, faults($properties->{$key}, $value->{$key}, "$place.$key");
            }
            elsif (exists $schema->{additionalProperties} && !$schema->{additionalProperties}) {
                push @faults, "$place.$key is not in the document";
            }
        }
    }
    push @faults, map { faults($schema->{items}, $value->[$_], "${place}[$_]") } 0 .. $#$value
        if $type eq 'array' && $schema->{items};
    push @faults, "$place is no date"
        if ($schema->{format} // '') eq 'date' && $type eq 'string' && $value !~ /^\d{4}-\d\d-\d\d$/;
    return @faults;
}

# What is wrong with an answer to the operation `name`. `expected` is a status, or the code of an error.
sub faults_of_answer ($stack, $name, $expected, $answer) {
    my $operation = operations($stack)->{$name} // die "there is no operation $name\n";
    return 'no answer' if !$answer;
    my $code = $expected =~ /\D/ ? $expected : undef;
    # an answer of /verify has its code in a header field, and no body
    my $got = ref $answer->{json} eq 'HASH' ? $answer->{json}{code} // '' : $answer->{headers}{'x-roster-code'} // '';
    my $response = $operation->{responses}{$answer->{status}}
        // return "the document has no $answer->{status} for $name";
    my @faults;
    push @faults, "status $answer->{status}, not $expected" if !$code && $answer->{status} != $expected;
    push @faults, "$answer->{status} $got, not $expected" if $code && $got ne $code;
    push @faults, "the document has no $code with $answer->{status} for $name"
        if $code && !grep { $_ eq $code } codes($response);
    if (my $content = resolve($response)->{content}) {
        my ($type) = ($answer->{headers}{'content-type'} // '') =~ /^([^;]+)/;
        if (!$content->{$type // ''}) {
            push @faults, 'the document has no ' . ($type // 'answer without a type') . " for $name $answer->{status}";
        }
        elsif ($type eq 'application/json') {
            push @faults, faults($content->{$type}{schema}, $answer->{json}, 'answer');
        }
    }
    return @faults;
}

1;
