//! The reading of one record by a program.

use super::date_time::date_time;
use super::found::{Found, Span};
use super::layouts::{END, Layouts, ReadGap};
use super::number::number;
use super::rules::{ArrayRule, CheckedString, NumberRule, ObjectRule, Program, Role, StringRule, ValueRule};
use super::text::{Text, WhiteSpace};
use crate::intake::schema::plan::MAX_ENTITY_BYTES;
use crate::intake::shape::JsonType;
use crate::time::Timestamp;

/// The maximum length of a number that names an entity. Shorter ones are integers of 64 bits.
const MAX_ENTITY_DIGITS: usize = 18;

/// A record that is being read. The methods take the offset of a part of it, and return the offset behind that part; `None` if
/// the program is not sure.
struct Reading<'r> {
    program: &'r Program,
    text: Text<'r>,
    white_space: WhiteSpace,
    layouts: &'r mut Layouts,
    found: &'r mut Found,
}

impl Program {
    /// Reads the record that `content` begins with. Returns its length if it conforms to the schema; its points are then in
    /// `found`. `layouts` are those of this program.
    #[inline]
    pub(crate) fn read(
        &self,
        content: &[u8],
        white_space: WhiteSpace,
        layouts: &mut Layouts,
        found: &mut Found,
    ) -> Option<usize> {
        layouts.keep_only(white_space);
        found.clear();
        let mut reading = Reading { program: self, text: Text(content), white_space, layouts, found };
        let end = reading.object(self.root, 0)?;
        found.end_record(self.scopes)?;
        Some(end)
    }
}

impl<'r> Reading<'r> {
    /// Reads a value: the common ones here, the others apart.
    #[inline(always)]
    fn value(&mut self, rule: &'r ValueRule, at: usize) -> Option<usize> {
        let (json_type, end) = match self.text.byte(at) {
            b'"' => (JsonType::String, self.string(rule.string.as_ref()?, at)?),
            b'-' | b'0'..=b'9' => (JsonType::Number, self.number(rule.number.as_ref()?, at)?),
            byte => return self.other_value(rule, byte, at),
        };
        self.found.types_mut().add(json_type, rule.member);
        Some(end)
    }

    #[inline(never)]
    fn other_value(&mut self, rule: &'r ValueRule, byte: u8, at: usize) -> Option<usize> {
        let (json_type, end) = match byte {
            b'{' => (JsonType::Object, self.object(rule.object?, at)?),
            b'[' => (JsonType::Array, self.array(rule.array?, at)?),
            b'n' if rule.null => (JsonType::Null, self.text.literal(at, b"null")?),
            b't' if rule.boolean => (JsonType::Boolean, self.text.literal(at, b"true")?),
            b'f' if rule.boolean => (JsonType::Boolean, self.text.literal(at, b"false")?),
            _ => return self.later_value(rule, at),
        };
        self.found.types_mut().add(json_type, rule.member);
        Some(end)
    }

    /// Reads a value behind more white space than usual.
    #[cold]
    fn later_value(&mut self, rule: &'r ValueRule, at: usize) -> Option<usize> {
        let start = self.text.skip(at, self.white_space);
        if start > at { self.value(rule, start) } else { None }
    }

    #[inline(always)]
    fn string(&mut self, rule: &'r StringRule, at: usize) -> Option<usize> {
        match rule {
            StringRule::DateTime { role } => {
                let (time, end) = date_time(self.text, at, &mut self.found.recent_date)?;
                if *role == Role::Time {
                    self.found.set_time(time);
                }
                Some(end)
            }
            StringRule::Plain { min, max, role } => {
                let (end, chars) = self.text.string(at + 1)?;
                let is_allowed = *min <= chars && chars <= *max;
                is_allowed.then_some(())?;
                self.take_text(*role, Span { start: at + 1, end })?;
                Some(end + 1)
            }
            StringRule::Checked(rule) => self.checked_string(rule, at + 1),
        }
    }

    /// Reads the string whose contents begin at `start`.
    #[inline(never)]
    fn checked_string(&mut self, rule: &CheckedString, start: usize) -> Option<usize> {
        let (end, chars) = self.text.string(start)?;
        let text = std::str::from_utf8(self.text.slice(start, end)).ok()?;
        if !rule.allows(text, chars) {
            return None;
        }
        if rule.is_date_time {
            let time = Timestamp::parse(text)?;
            if rule.role == Role::Time {
                self.found.set_time(time);
            }
        }
        self.take_text(rule.role, Span { start, end })?;
        Some(end + 1)
    }

    #[inline(always)]
    fn take_text(&mut self, role: Role, span: Span) -> Option<()> {
        if role != Role::None {
            let is_entity = (1..=MAX_ENTITY_BYTES).contains(&(span.end - span.start));
            (is_entity || role != Role::Entity).then_some(())?;
            self.found.set_text(role, span);
        }
        Some(())
    }

    #[inline(always)]
    fn number(&mut self, rule: &NumberRule, at: usize) -> Option<usize> {
        let (value, end) = number(self.text, at)?;
        if !rule.allows(value) {
            return None;
        }
        match rule.role {
            Role::Measure(measure) => self.found.set_measure(measure, value),
            Role::Entity => self.number_entity(Span { start: at, end })?,
            Role::None | Role::Schema | Role::Time => {}
        }
        Some(end)
    }

    /// Records the entity that a number names, if the number is written as its name is.
    #[inline(never)]
    fn number_entity(&mut self, span: Span) -> Option<()> {
        let digits = self.text.slice(span.start, span.end);
        let is_name = digits.len() <= MAX_ENTITY_DIGITS
            && digits != b"-0"
            && digits.iter().all(|byte| byte.is_ascii_digit() || *byte == b'-');
        is_name.then(|| self.found.set_text(Role::Entity, span))
    }

    fn object(&mut self, index: usize, at: usize) -> Option<usize> {
        let rule = self.program.objects.get(index)?;
        let (mut at, mut link, mut seen) = (at, rule.first_link, 0_u64);
        loop {
            let ReadGap { length, member } = self.gap(rule, link, at)?;
            at += length as usize;
            if member == END {
                return (seen & rule.required == rule.required).then_some(at);
            }
            let bit = 1_u64.checked_shl(member)?;
            if seen & bit != 0 {
                return None; // twice the same name
            }
            seen |= bit;
            at = self.value(&rule.members.get(member as usize)?.value, at)?;
            link = rule.first_link + 1 + member as usize;
        }
    }

    /// Reads the text before the next value of an object, or up to its end.
    #[inline(always)]
    fn gap(&mut self, rule: &ObjectRule, link: usize, at: usize) -> Option<ReadGap> {
        let window = self.text.window(at);
        match window.and_then(|window| self.layouts.find(link, window)) {
            Some(gap) => Some(gap),
            None => self.new_gap(rule, link, at),
        }
    }

    #[cold]
    fn new_gap(&mut self, rule: &ObjectRule, link: usize, start: usize) -> Option<ReadGap> {
        let is_first = link == rule.first_link;
        let skip = |at: usize| self.text.skip(at, self.white_space);
        let expect = |at: usize, byte: u8| (self.text.byte(at) == byte).then_some(at + 1);
        let mut at = if is_first { skip(expect(start, b'{')?) } else { skip(start) };
        let mut member = END;
        if self.text.byte(at) == b'}' {
            at += 1;
        } else {
            if !is_first {
                at = skip(expect(at, b',')?);
            }
            let name = expect(at, b'"')?;
            let (end, _) = self.text.string(name)?;
            let name = self.text.slice(name, end);
            member = rule.members.iter().position(|member| *member.name == *name)? as u32;
            at = skip(expect(skip(end + 1), b':')?);
        }
        let gap = ReadGap { length: u32::try_from(at - start).ok()?, member };
        if let Some(window) = self.text.window(start) {
            self.layouts.learn(link, window, gap);
        }
        Some(gap)
    }

    fn array(&mut self, index: usize, at: usize) -> Option<usize> {
        let rule = self.program.arrays.get(index)?;
        let mut at = self.text.skip(at + 1, self.white_space);
        let mut count = 0;
        if self.text.byte(at) != b']' {
            loop {
                at = self.element(rule, at)?;
                count += 1;
                at = self.text.skip(at, self.white_space);
                if self.text.byte(at) != b',' {
                    break;
                }
                at = self.text.skip(at + 1, self.white_space);
            }
        }
        let is_allowed = self.text.byte(at) == b']' && rule.min <= count && count <= rule.max;
        is_allowed.then_some(at + 1)
    }

    #[inline]
    fn element(&mut self, rule: &'r ArrayRule, at: usize) -> Option<usize> {
        if !rule.has_points {
            return self.value(&rule.element, at);
        }
        self.found.begin_element();
        let end = self.value(&rule.element, at)?;
        self.found.end_element(self.program.scopes)?;
        Some(end)
    }
}
